import { PutImageCommand, PutImageTagMutabilityCommand } from '@aws-sdk/client-ecr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { blobsOf, pushImage, putManifest, refusal, sdk, told } from './client.ts'

let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false, quotas: 'none' })
})
afterAll(() => ecr.stop())

const MODES = {
  mutable: { imageTagMutability: 'MUTABLE' },
  immutable: { imageTagMutability: 'IMMUTABLE' },
  'immutable-but-dev': {
    imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
    imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev*' }],
  },
  'mutable-but-v': {
    imageTagMutability: 'MUTABLE_WITH_EXCLUSION',
    imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'v*.0' }],
  },
}

describe('a tag', () => {
  test.each([
    ['mutable', 'v1.0', true],
    ['immutable', 'v1.0', false],
    ['immutable-but-dev', 'v1.0', false],
    ['immutable-but-dev', 'dev-1', true],
    ['mutable-but-v', 'v1.0', false],
    ['mutable-but-v', 'v1.1', true],
    ['mutable-but-v', 'v1x0', true],
  ] as const)('in a repository that is %s: may %s move? %s', async (name, tag, may) => {
    if (ecr.repository(name) === undefined) ecr.createRepository(name, MODES[name])
    const first = await pushImage(ecr, name, tag)
    const second = await blobsOf(ecr, name)
    const message = `The image tag '${tag}' already exists in the '${name}' repository and cannot be overwritten because the tag is immutable.`
    const same = await putManifest(ecr, name, tag, first.raw)
    const other = await putManifest(ecr, name, tag, second.raw)
    if (may) {
      expect([same.status, other.status]).toEqual([201, 201])
      expect(ecr.tags()[`${name}:${tag}`]).toBe(second.digest)
      return
    }
    expect(await told(same)).toBe(`400 TAG_INVALID ${message}`)
    expect(await told(other)).toBe(`400 TAG_INVALID ${message}`)
    expect((await putManifest(ecr, name, first.digest, first.raw)).status).toBe(201)
    const native = new PutImageCommand({ repositoryName: name, imageManifest: second.raw, imageTag: tag })
    expect(await refusal(sdk(ecr).send(native))).toBe(`ImageTagAlreadyExistsException: ${message}`)
    expect(ecr.tags()[`${name}:${tag}`]).toBe(first.digest)
  })

  test('obeys a change of the setting', async () => {
    ecr.createRepository('changed')
    const { raw } = await pushImage(ecr, 'changed', '1')
    const set = await sdk(ecr).send(
      new PutImageTagMutabilityCommand({ repositoryName: 'changed', imageTagMutability: 'IMMUTABLE' }),
    )
    expect(set.imageTagMutability).toBe('IMMUTABLE')
    expect((await putManifest(ecr, 'changed', '1', raw)).status).toBe(400)
    expect((await putManifest(ecr, 'changed', '2', raw)).status).toBe(201)
  })

  test('shares its image with at most a thousand others', async () => {
    ecr.createRepository('crowded')
    const { raw } = await pushImage(ecr, 'crowded', 't0')
    for (let one = 1; one < 1000; one += 1) await putManifest(ecr, 'crowded', `t${one}`, raw)
    expect(await told(await putManifest(ecr, 'crowded', 'one-more', raw))).toMatch(/^403 DENIED .*1000 tags/)
  })
})
