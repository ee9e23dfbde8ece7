import { DescribeRegistryCommand } from '@aws-sdk/client-ecr'
import { describe, expect, test } from 'vitest'
import { startEcr } from '../support/ecr/server.ts'
import { ask, blobsOf, putManifest, refusal, sdk, told } from './client.ts'

describe('the quotas', () => {
  test('let ten PutImage a second through, and answer 429 beyond', async () => {
    const ecr = await startEcr({ tls: false })
    ecr.createRepository('busy')
    const { raw } = await blobsOf(ecr, 'busy')
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => putManifest(ecr, 'busy', `t${at}`, raw)),
    )
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(10)
    expect(refused.length).toBeGreaterThan(0)
    for (const one of refused) {
      expect(await told(one)).toBe('429 TOOMANYREQUESTS Rate exceeded')
      expect(one.headers.get('retry-after')).toBeNull()
    }
    expect(ecr.log.count('PutImage')).toBe(40)
    expect(ecr.log.busiestSecond('PutImage')).toBe(40)
    expect(Object.keys(ecr.tags())).toHaveLength(40 - refused.length)
    await ecr.stop()
  })

  test('can be set per action, and refuse through the API too', async () => {
    const ecr = await startEcr({ tls: false, quotas: { DescribeRegistry: 1, BatchGetImage: 1 } })
    ecr.createRepository('slow')
    await sdk(ecr).send(new DescribeRegistryCommand({}))
    expect(await refusal(sdk(ecr).send(new DescribeRegistryCommand({})))).toBe(
      'ThrottlingException: Rate exceeded',
    )
    expect((await ask(ecr, '/v2/slow/manifests/1')).status).toBe(404)
    expect((await ask(ecr, '/v2/slow/manifests/1')).status).toBe(429)
    await ecr.stop()
  })

  test('can be lifted', async () => {
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    ecr.createRepository('fast')
    const { raw } = await blobsOf(ecr, 'fast')
    for (let at = 0; at < 40; at += 1)
      expect((await putManifest(ecr, 'fast', `t${at}`, raw)).status).toBe(201)
    await ecr.stop()
  })
})
