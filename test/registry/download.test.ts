import { afterEach, describe, expect, test } from 'vitest'
import { openRepository } from '../../src/registry/repository.ts'
import { layerOf, noise } from '../support/images.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'
import { digestAll, failureOf, harness, listAll } from '../support/registry/harness.ts'

const running: RegistryDouble[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

const content = noise(900_000)

async function setUp(options: DoubleOptions = {}, stallSeconds = 5) {
  const double = await startDouble(options)
  running.push(double)
  const blob = double.addBlob('team/app', content)
  const { client, events } = harness({ net: { stallSeconds } })
  const repository = openRepository(client, double.host, 'team/app')
  return { double, blob, repository, events, path: `/v2/team/app/blobs/${blob.digest}` }
}

describe('fetch', () => {
  test('gives the bytes with one request', async () => {
    const { double, blob, repository, path } = await setUp()
    expect(await digestAll(await repository.fetch(blob))).toEqual({ size: blob.size, digest: blob.digest })
    expect(double.take()).toEqual([`GET ${path}`])
  })

  test('begins in the middle when told to', async () => {
    const { double, blob, repository } = await setUp()
    expect((await digestAll(await repository.fetch(blob, 899_990))).size).toBe(10)
    expect(double.requests.at(-1)?.headers['range']).toBe('bytes=899990-')
  })

  test('asks nothing for an empty blob', async () => {
    const { double, repository } = await setUp()
    const empty = double.addBlob('team/app', new Uint8Array(0))
    expect(await listAll(await repository.fetch(empty))).toEqual([])
    expect(double.take()).toEqual([])
  })

  test('continues where a cut body ended, several times over', async () => {
    const { double, blob, repository, events } = await setUp({
      faults: [{ on: /^GET .*\/blobs\//, times: 3, change: fault.cutAfter(200_000) }],
    })
    expect(await digestAll(await repository.fetch(blob))).toEqual({ size: blob.size, digest: blob.digest })
    const ranges = double.requests.map(({ headers }) => headers['range'])
    expect(ranges).toEqual([undefined, 'bytes=200000-', 'bytes=400000-', 'bytes=600000-'])
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(3)
  })

  test('bears more cuts than tries, as long as bytes advance', async () => {
    const { double, blob, repository } = await setUp({
      faults: [{ on: /^GET .*\/blobs\//, times: 8, change: fault.cutAfter(100_000) }],
    })
    expect((await digestAll(await repository.fetch(blob))).digest).toBe(blob.digest)
    expect(double.requests).toHaveLength(9)
  })

  test('gives up when a body is always cut without progress', async () => {
    const { double, blob, repository } = await setUp({
      faults: [{ on: /^GET .*\/blobs\//, change: fault.cutAfter(10) }],
    })
    const error = await failureOf(digestAll(await repository.fetch(blob)))
    expect(error).toMatchObject({ kind: 'network', where: `${double.host}/team/app@${blob.digest}` })
    expect(error.message).toContain('the connection was cut')
    expect(double.requests).toHaveLength(5)
  })

  test('throws away what it has when the server answers a range with everything', async () => {
    const { double, blob, repository } = await setUp({
      faults: [
        { on: /^GET .*\/blobs\//, times: 1, change: fault.cutAfter(300_000) },
        { on: /^GET .*\/blobs\//, change: fault.wholeBody(content) },
      ],
    })
    expect(await digestAll(await repository.fetch(blob))).toEqual({ size: blob.size, digest: blob.digest })
    expect(double.requests).toHaveLength(2)
  })

  test('continues after a stall', async () => {
    const { double, blob, repository, events } = await setUp(
      { faults: [{ on: /^GET .*\/blobs\//, times: 1, change: fault.stallAfter(500_000) }] },
      1,
    )
    expect((await digestAll(await repository.fetch(blob))).digest).toBe(blob.digest)
    expect(double.requests.at(-1)?.headers['range']).toBe('bytes=500000-')
    expect(events).toMatchObject([{ type: 'retry', reason: expect.stringContaining('no byte for') }])
  })

  test('does not take a slow consumer for a stalled server', async () => {
    const { double, blob, repository } = await setUp({}, 1)
    let size = 0
    for await (const chunk of await repository.fetch(blob)) {
      size += chunk.length
      if (size === chunk.length) await new Promise((resolve) => setTimeout(resolve, 1500))
    }
    expect(size).toBe(blob.size)
    expect(double.requests).toHaveLength(1)
  })

  test('bears a slow drip', async () => {
    const { double, repository } = await setUp(
      { faults: [{ on: /^GET .*\/blobs\//, change: fault.drip(7, 80) }] },
      1,
    )
    const small = double.addBlob('team/app', noise(140, 2))
    expect((await digestAll(await repository.fetch(small))).digest).toBe(small.digest)
    expect(double.requests).toHaveLength(1)
  })

  test('undoes a compression on the way', async () => {
    const { blob, repository } = await setUp({ faults: [{ on: /blobs/, change: fault.gzipped }] })
    expect(await digestAll(await repository.fetch(blob))).toEqual({ size: blob.size, digest: blob.digest })
  })

  test('continues a body that was compressed on the way, from the start', async () => {
    const { double, blob, repository } = await setUp({
      faults: [
        {
          on: /blobs/,
          change: (next, request) => ({ ...fault.wholeBody(content)(next, request), status: 200 }),
        },
        { on: /blobs/, change: fault.gzipped },
        { on: /blobs/, times: 1, change: fault.cutAfter(500_000) },
      ],
    })
    expect(await digestAll(await repository.fetch(blob))).toEqual({ size: blob.size, digest: blob.digest })
    expect(double.requests).toHaveLength(2)
  })

  test('leaves alone what is only called encoded', async () => {
    const { double, repository } = await setUp({
      faults: [{ on: /blobs/, change: fault.withHeaders({ 'content-encoding': 'gzip' }) }],
    })
    const layer = double.addBlob('team/app', layerOf({ 'etc/x': 'hello' }))
    expect((await digestAll(await repository.fetch(layer))).digest).toBe(layer.digest)
  })

  test.each([
    ['a bomb', 'gzip', Bun.gzipSync(new Uint8Array(50_000_000)), 'more than the 900000 bytes'],
    ['not what it says', 'gzip', Buffer.from('plain'), 'not of its content encoding'],
    ['of an unknown kind', 'rot13', Buffer.from('cynva'), 'was not requested'],
  ])('refuses a compression that is %s', async (_, encoding, body, words) => {
    const { blob, repository } = await setUp({
      faults: [
        {
          on: /blobs/,
          change: fault.answer({
            status: 200,
            headers: { 'content-encoding': encoding },
            body: Buffer.from(body),
          }),
        },
      ],
    })
    const error = await failureOf(digestAll(await repository.fetch(blob)))
    expect(error).toMatchObject({ kind: 'integrity', message: expect.stringContaining(words) })
  })

  test('refuses a body of another length before reading it', async () => {
    const { blob, repository } = await setUp()
    const wrong = { ...blob, size: blob.size - 1 }
    const error = await failureOf(digestAll(await repository.fetch(wrong)))
    expect(error.kind).toBe('integrity')
    expect(error.message).toContain(`${blob.size} of them instead of ${wrong.size}`)
  })

  test('leaves an endless body at the size the descriptor gives', async () => {
    const { blob, repository } = await setUp({ faults: [{ on: /blobs/, change: fault.endless }] })
    const error = await failureOf(digestAll(await repository.fetch(blob)))
    expect(error).toMatchObject({
      kind: 'integrity',
      message: expect.stringContaining('more than the 900000 bytes'),
    })
  })

  test('continues a body that is shorter than its Content-Length', async () => {
    const { double, blob, repository } = await setUp({
      faults: [{ on: /blobs/, times: 1, change: fault.shortBody(1000) }],
    })
    expect((await digestAll(await repository.fetch(blob))).digest).toBe(blob.digest)
    expect(double.requests.at(-1)?.headers['range']).toBe('bytes=1000-')
  })

  test('refuses a range from another place', async () => {
    const { blob, repository } = await setUp({
      faults: [
        { on: /blobs/, times: 1, change: fault.cutAfter(1000) },
        { on: /blobs/, change: fault.withHeaders({ 'content-range': 'bytes 5-899999/900000' }) },
      ],
    })
    const error = await failureOf(digestAll(await repository.fetch(blob)))
    expect(error).toMatchObject({
      kind: 'integrity',
      message: expect.stringContaining('from 5 on instead of from 1000'),
    })
  })

  test('passes wrong bytes on: the one verifier is the caller', async () => {
    const { blob, repository } = await setUp({ faults: [{ on: /blobs/, change: fault.corrupt }] })
    const found = await digestAll(await repository.fetch(blob))
    expect(found.size).toBe(blob.size)
    expect(found.digest).not.toBe(blob.digest)
  })

  test('fails at once with the words of the registry when there is no such blob', async () => {
    const { double, blob, repository } = await setUp()
    const missing = { ...blob, digest: `sha256:${'0'.repeat(64)}` as const }
    const error = await failureOf(digestAll(await repository.fetch(missing)))
    expect(error).toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('BLOB_UNKNOWN: blob unknown to registry'),
    })
    expect(double.requests).toHaveLength(1)
  })
})

describe('foreign layers', () => {
  const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'

  test('come from their urls only when asked for, without credentials', async () => {
    const elsewhere = await startDouble()
    running.push(elsewhere)
    const layer = elsewhere.addBlob('cdn', noise(5000, 3), mediaType)
    const { double } = await setUp({ access: { kind: 'basic', username: 'u', password: 'p' } })
    const { client } = harness({ credentials: async () => ({ username: 'u', password: 'p' }) })
    const target = { ...layer, urls: [`${elsewhere.origin}/v2/cdn/blobs/${layer.digest}`] }
    const strict = openRepository(client, double.host, 'team/app')
    expect((await failureOf(digestAll(await strict.fetch(target)))).message).toContain('BLOB_UNKNOWN')
    expect(elsewhere.requests).toHaveLength(0)
    const lenient = openRepository(client, double.host, 'team/app', { foreign: true })
    expect((await digestAll(await lenient.fetch(target))).digest).toBe(layer.digest)
    expect(elsewhere.requests.map(({ headers }) => headers['authorization'])).toEqual([undefined])
  })
})
