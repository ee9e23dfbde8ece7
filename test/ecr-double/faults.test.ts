import { DescribeRegistryCommand } from '@aws-sdk/client-ecr'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { createFaults } from '../support/ecr/faults.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import {
  ask,
  blobsOf,
  bytes,
  present,
  pushBlob,
  pushImage,
  putManifest,
  refusal,
  sdk,
  session,
  told,
} from './client.ts'

let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ quotas: 'none' })
  ecr.createRepository('faulty')
})
afterEach(() => {
  ecr.faults.clear()
  expect(ecr.log.errors).toEqual([])
})
afterAll(() => ecr.stop())

const put = (location: string, content: Uint8Array<ArrayBuffer>, signal?: AbortSignal) =>
  fetch(`${location}?digest=${digestOf(content)}`, {
    method: 'PUT',
    headers: { authorization: `Basic ${ecr.token()}` },
    body: content,
    keepalive: false,
    tls: { ca: ecr.ca },
    ...(signal === undefined ? {} : { signal }),
  })

const download = async (digest: string) => {
  const location = present((await ask(ecr, `/v2/faulty/blobs/${digest}`)).headers.get('location'))
  return fetch(location, { tls: { ca: ecr.ca } })
}

/** Bytes that came before the stream broke or ended. */
const received = async (response: Response) => {
  let size = 0
  try {
    for await (const chunk of present(response.body)) size += chunk.length
  } catch (error) {
    return { size, broke: error instanceof Error }
  }
  return { size, broke: false }
}

describe('a fault', () => {
  test('answers instead of the work, as often as it should, after letting some pass', async () => {
    const { raw } = await blobsOf(ecr, 'faulty')
    ecr.faults.add({ on: { action: 'PutImage' }, fault: { kind: 'status', status: 503 }, skip: 1, times: 2 })
    ecr.log.clear()
    const statuses: number[] = []
    for (let at = 0; at < 4; at += 1) statuses.push((await putManifest(ecr, 'faulty', `s${at}`, raw)).status)
    expect(statuses).toEqual([201, 503, 503, 201])
    expect(ecr.log.count('PutImage')).toBe(4)
    expect(Object.keys(ecr.tags()).filter((name) => name.startsWith('faulty:s'))).toHaveLength(2)
  })

  test('speaks the words of its plane, or any it is given', async () => {
    const throttled = { kind: 'status', status: 429 } as const
    ecr.faults.add({ on: { plane: 'dkr' }, fault: throttled })
    expect(await told(await ask(ecr, '/v2/faulty/tags/list'))).toBe('429 TOOMANYREQUESTS Rate exceeded')
    ecr.faults.add({
      on: { method: 'GET', path: /tags/ },
      fault: { kind: 'status', status: 429, body: 'slow down', headers: { 'retry-after': '7' } },
    })
    const scripted = await ask(ecr, '/v2/faulty/tags/list')
    expect([await scripted.text(), scripted.headers.get('retry-after')]).toEqual(['slow down', '7'])
    const plain = await startEcr({
      tls: false,
      faults: { faults: [{ on: { action: 'DescribeRegistry' }, fault: throttled }] },
    })
    const describeIt = () => sdk(plain).send(new DescribeRegistryCommand({}))
    expect(await refusal(describeIt())).toBe('ThrottlingException: Rate exceeded')
    expect((await describeIt()).registryId).toBe('123456789012')
    await plain.stop()
  })

  test('breaks an upload in the middle, and the session keeps the half', async () => {
    const content = bytes(2_000_000)
    const location = await session(ecr, 'faulty')
    ecr.faults.add({ on: { action: 'CompleteLayerUpload' }, fault: { kind: 'reset', afterBytes: 700_000 } })
    await expect(put(location, content)).rejects.toThrow()
    expect(ecr.log.requests('PUT', new URL(location).pathname)[0]?.requestBytes).toBe(700_000)
    expect(await told(await put(location, content))).toMatch(
      /First byte of the layer part is 0 instead of 700000$/,
    )
    expect((await put(await session(ecr, 'faulty'), content)).status).toBe(201)
  })

  test('stalls an upload until the client gives up', async () => {
    const content = bytes(500_000)
    const location = await session(ecr, 'faulty')
    ecr.faults.add({ on: { action: 'UploadLayerPart' }, fault: { kind: 'stall', afterBytes: 1000 } })
    await expect(put(location, content, AbortSignal.timeout(100))).rejects.toThrow(/timed out/)
  })

  test('breaks, stalls and corrupts a download', async () => {
    const content = bytes(1_500_000)
    const digest = await pushBlob(ecr, 'faulty', content)
    ecr.faults.add({ on: { plane: 's3' }, fault: { kind: 'reset', afterBytes: 600_000 } })
    expect(await received(await download(digest))).toEqual({ size: 600_000, broke: true })
    ecr.faults.add({ on: { plane: 's3' }, fault: { kind: 'corrupt', atByte: 1_234_567 } })
    const wrong = await (await download(digest)).bytes()
    expect(wrong.findIndex((byte, at) => byte !== content[at])).toBe(1_234_567)
    expect(wrong.filter((byte, at) => byte !== content[at])).toHaveLength(1)
    ecr.faults.add({ on: { plane: 's3' }, fault: { kind: 'stall', afterBytes: 10 } })
    const reader = present((await download(digest)).body).getReader()
    expect((await reader.read()).value).toHaveLength(10)
    expect(await Promise.race([reader.read(), Bun.sleep(100).then(() => 'nothing came')])).toBe(
      'nothing came',
    )
    await reader.cancel()
    expect(digestOf(await (await download(digest)).bytes())).toBe(digest)
  })

  test('closes the connection before or after the work', async () => {
    const { raw, digest } = await blobsOf(ecr, 'faulty')
    ecr.faults.add({ on: { action: 'PutImage' }, fault: { kind: 'close' } })
    await expect(putManifest(ecr, 'faulty', 'closed', raw)).rejects.toThrow()
    expect(ecr.tags()['faulty:closed']).toBeUndefined()
    ecr.faults.add({ on: { action: 'PutImage' }, fault: { kind: 'lose-answer' } })
    await expect(putManifest(ecr, 'faulty', 'lost', raw)).rejects.toThrow()
    expect(ecr.tags()['faulty:lost']).toBe(digest)
  })

  test('loses a tag behind a success', async () => {
    ecr.faults.add({ on: { action: 'PutImage' }, fault: { kind: 'lose-tag' } })
    const { digest } = await pushImage(ecr, 'faulty', 'vanished')
    expect(ecr.tags()['faulty:vanished']).toBeUndefined()
    expect((await ask(ecr, `/v2/faulty/manifests/${digest}`, { method: 'HEAD' })).status).toBe(200)
  })

  test('delays', async () => {
    ecr.faults.add({ on: { path: '/v2/' }, fault: { kind: 'delay', ms: 40 } })
    const before = performance.now()
    expect((await ask(ecr, '/v2/')).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThanOrEqual(39)
  })

  test('strikes at random, the same way for the same seed', () => {
    const draw = (seed: number) => {
      const faults = createFaults({
        seed,
        faults: [{ on: {}, fault: { kind: 'close' }, probability: 0.3, times: Number.POSITIVE_INFINITY }],
      })
      const request = { plane: 'dkr', actions: [], method: 'GET', path: '/' } as const
      return Array.from({ length: 200 }, () => faults.next(request) !== undefined)
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
    const struck = draw(7).filter(Boolean).length
    expect(struck).toBeGreaterThan(30)
    expect(struck).toBeLessThan(90)
  })

  test('that stalls does not keep the server from stopping', async () => {
    const stuck = await startEcr({
      tls: false,
      faults: { faults: [{ on: { path: '/v2/' }, fault: { kind: 'stall', afterBytes: 0 } }] },
    })
    const asked = ask(stuck, '/v2/').catch((error: unknown) => error)
    while (stuck.log.entries.length === 0) await Bun.sleep(5)
    await stuck.stop()
    expect(await asked).toBeInstanceOf(Error)
  })
})
