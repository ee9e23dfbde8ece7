import { afterEach, describe, expect, test } from 'vitest'
import { bytesOf, type Bytes } from '../../src/lib/bytes/bytes.ts'
import { integrityError } from '../../src/lib/errors.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { noise } from '../support/images.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'
import { failureOf, harness } from '../support/registry/harness.ts'

const running: RegistryDouble[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

const content = noise(700_001)
const blob: Descriptor = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digestOf(content),
  size: content.length,
}

/** In pieces, as a file is read. */
async function* pieces(size = 64 * 1024): Bytes {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

async function setUp(options: DoubleOptions = {}) {
  const double = await startDouble(options)
  running.push(double)
  const { client, events } = harness()
  const repository = openRepository(client, double.host, 'team/app')
  const stored = () => double.contents.blobs.get('team/app')?.get(blob.digest)
  const shape = () => double.take().map((line) => line.replace(/uploads\/[0-9a-f-]{36}/, 'uploads/<id>'))
  return { double, repository, events, stored, shape }
}

const PUT = `PUT /v2/team/app/blobs/uploads/<id>?_state=a%2Bb&digest=${encodeURIComponent(blob.digest)}`
const POST = 'POST /v2/team/app/blobs/uploads/'
const HEAD = `HEAD /v2/team/app/blobs/${blob.digest}`
const DELETE = 'DELETE /v2/team/app/blobs/uploads/<id>?_state=a%2Bb'

describe('push of a blob', () => {
  test('is one POST and one PUT with the exact length', async () => {
    const { double, repository, stored, shape } = await setUp()
    await repository.push(blob, async () => pieces())
    expect(shape()).toEqual([POST, PUT])
    const put = double.requests.at(-1)
    expect(put?.headers['content-length']).toBe(String(blob.size))
    expect(put?.headers['transfer-encoding']).toBeUndefined()
    expect(put?.headers['content-type']).toBe('application/octet-stream')
    expect(stored()?.equals(content)).toBe(true)
  })

  test.each([
    ['absolute', (origin: string, path: string) => `${origin}${path}`],
    ['relative to the path', (_: string, path: string) => path.slice(path.lastIndexOf('/') + 1)],
    ['without a scheme', (origin: string, path: string) => `${origin.replace('http:', '')}${path}`],
  ])('follows a Location that is %s', async (_, rewrite) => {
    const { double, repository, stored } = await setUp()
    double.addFault({
      on: /^POST/,
      change: fault.changed(({ headers }) => ({
        headers: { ...headers, location: rewrite(double.origin, headers['location'] ?? '') },
      })),
    })
    await repository.push(blob, async () => pieces())
    expect(stored()?.length).toBe(blob.size)
  })

  test('starts a new session for each retry and frees the old one', async () => {
    const { double, repository, stored, shape, events } = await setUp({
      faults: [
        {
          on: /^PUT/,
          times: 2,
          change: fault.status(500, '{"errors":[{"code":"UNKNOWN","message":"storage"}]}'),
        },
      ],
    })
    let opened = 0
    await repository.push(blob, async () => {
      opened += 1
      return pieces()
    })
    expect(stored()?.length).toBe(blob.size)
    expect(opened).toBe(3)
    expect(shape()).toEqual([POST, PUT, DELETE, HEAD, POST, PUT, DELETE, HEAD, POST, PUT])
    expect(double.contents.sessions.size).toBe(0)
    expect(events.map(({ type }) => type)).toEqual(['retry', 'retry'])
  })

  test('starts again when the connection is cut before the end', async () => {
    const cut: fault.Fault['change'] = () => ({
      status: 500,
      headers: {},
      body: Buffer.alloc(0),
      reset: true,
    })
    const { repository, stored, shape } = await setUp({ faults: [{ on: /^PUT/, times: 2, change: cut }] })
    await repository.push(blob, async () => pieces())
    expect(stored()?.length).toBe(blob.size)
    expect(shape().filter((line) => line === POST).length).toBeGreaterThan(1)
  })

  test.each([
    ['the connection is cut', fault.reset],
    ['a gateway gives up', fault.changed(() => ({ status: 504 }))],
  ])('sends nothing twice when only the answer was lost: %s', async (_, change) => {
    const { double, repository, stored, shape } = await setUp({ faults: [{ on: /^PUT/, times: 1, change }] })
    await repository.push(blob, async () => pieces())
    expect(stored()?.length).toBe(blob.size)
    const lines = shape()
    expect(lines.filter((line) => line === POST)).toHaveLength(1)
    expect(lines.at(-1)).toBe(HEAD)
    expect(double.contents.sessions.size).toBe(0)
  })

  test('follows a 307 of the PUT with the whole body', async () => {
    const { double, repository, stored } = await setUp()
    double.addFault({
      on: /^PUT .*_state/,
      times: 1,
      change: (_, request) => ({
        status: 307,
        headers: { location: request.url.replace('_state=a%2Bb', 'moved=1&_state=a%2Bb') },
        body: Buffer.alloc(0),
      }),
    })
    await repository.push(blob, async () => pieces())
    expect(stored()?.length).toBe(blob.size)
    expect(double.take().filter((line) => line.startsWith('PUT'))).toHaveLength(2)
  })

  test.each(['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'DIGEST_INVALID'])(
    'starts a new session when the registry has lost the thread (%s), but not for ever',
    async (code) => {
      const words = JSON.stringify({ errors: [{ code, message: 'which one' }] })
      const { double, repository, stored } = await setUp({
        faults: [{ on: /^PUT/, times: 2, change: fault.status(400, words) }],
      })
      await repository.push(blob, async () => pieces())
      expect(stored()?.length).toBe(blob.size)
      double.contents.blobs.clear()
      double.addFault({ on: /^PUT/, change: fault.status(400, words) })
      const error = await failureOf(repository.push(blob, async () => pieces()))
      expect(error.message).toContain(`${code}: which one`)
      expect(double.requests.filter(({ method }) => method === 'PUT')).toHaveLength(6)
    },
  )

  test('fails at once, in the words of the registry, when it may not', async () => {
    const words = 'User: arn:aws:iam::1:user/x is not authorized to perform: ecr:InitiateLayerUpload'
    const { double, repository } = await setUp({
      faults: [
        {
          on: /^POST/,
          change: fault.status(403, JSON.stringify({ errors: [{ code: 'DENIED', message: words }] })),
        },
      ],
    })
    const error = await failureOf(repository.push(blob, async () => pieces()))
    expect(error).toMatchObject({ kind: 'auth', where: `${double.host}/team/app@${blob.digest}` })
    expect(error.message).toContain(`DENIED: ${words}`)
    expect(double.requests).toHaveLength(1)
  })

  test('never completes with wrong content, and does not ask again', async () => {
    const { double, repository, stored } = await setUp()
    const wrong = Buffer.from(content)
    wrong[5] = (wrong[5] ?? 0) ^ 1
    const error = await failureOf(repository.push(blob, async () => bytesOf(wrong)))
    expect(error.kind).toBe('integrity')
    expect(stored()).toBeUndefined()
    expect(double.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })

  test.each([
    ['too short', () => bytesOf(content.subarray(0, 5))],
    ['too long', () => bytesOf(Buffer.concat([content, Buffer.from('x')]))],
  ])('refuses content that is %s', async (_, open) => {
    const { repository, stored } = await setUp()
    expect((await failureOf(repository.push(blob, async () => open()))).kind).toBe('integrity')
    expect(stored()).toBeUndefined()
  })

  test('passes on the error of the source as it is', async () => {
    const { double, repository } = await setUp()
    const damaged = integrityError('the bundle is damaged at byte 7')
    async function* broken(): Bytes {
      yield content.subarray(0, 100_000)
      throw damaged
    }
    expect(await failureOf(repository.push(blob, async () => broken()))).toBe(damaged)
    expect(double.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })

  test('takes an early refusal for an answer, without sending everything', async () => {
    const { repository } = await setUp({
      faults: [{ on: /^PUT/, change: fault.status(413, 'client intended to send too large body') }],
    })
    const error = await failureOf(repository.push(blob, async () => pieces()))
    expect(error.message).toContain('413')
    expect(error.next).toContain('limits the size of uploads')
  })

  test.each([
    ['a private address', 'http://169.254.169.254/latest/meta-data'],
    ['a file', 'file:///etc/passwd'],
  ])('does not follow a Location that is %s', async (_, location) => {
    const { double } = await setUp({ faults: [{ on: /^POST/, change: fault.withHeaders({ location }) }] })
    // The address rule is for registries on the internet, so this one goes by a name that is not loopback.
    const { client } = harness({
      http: async (request) => {
        const { createHttp } = await import('../../src/lib/http/client.ts')
        const url = new URL(request.url)
        if (url.host !== 'registry.example') throw new Error(`went to ${url.host}`)
        return createHttp()({ ...request, url: `${double.origin}${url.pathname}${url.search}` }).then(
          (response) => ({
            ...response,
            url: request.url,
          }),
        )
      },
    })
    const repository = openRepository(client, 'registry.example', 'team/app')
    const error = await failureOf(repository.push(blob, async () => pieces()))
    expect(error.message).toContain('is not followed')
  })
})

describe('mount', () => {
  test('takes a blob another repository has', async () => {
    const { double, repository, shape } = await setUp()
    double.addBlob('other/app', content)
    expect(await repository.mount(blob, 'other/app')).toBe(true)
    expect(shape()).toEqual([`${POST}?mount=${encodeURIComponent(blob.digest)}&from=other%2Fapp`])
  })

  test('says no when the registry would rather have it uploaded, and frees the session', async () => {
    const { double, repository, shape } = await setUp()
    expect(await repository.mount(blob, 'other/app')).toBe(false)
    expect(shape().at(-1)).toBe(DELETE)
    expect(double.contents.sessions.size).toBe(0)
  })

  test('goes over into the upload within the same session', async () => {
    const { repository, stored, shape } = await setUp()
    expect(await repository.pushBlob(blob, async () => pieces(), 'other/app')).toBe('copied')
    expect(stored()?.length).toBe(blob.size)
    expect(shape()).toHaveLength(2)
  })

  test('asks for the right to read the source', async () => {
    const { double, repository } = await setUp({ access: { kind: 'bearer' } })
    double.addBlob('other/app', content)
    expect(await repository.mount(blob, 'other/app')).toBe(true)
    const token = double.requests.find(({ path }) => path === '/token')
    expect(token?.query.getAll('scope')).toEqual([
      'repository:team/app:pull,push',
      'repository:other/app:pull',
    ])
  })
})

describe('exists', () => {
  test('is told by HEAD', async () => {
    const { double, repository } = await setUp()
    expect(await repository.exists(blob)).toBe(false)
    double.addBlob('team/app', content)
    expect(await repository.exists(blob)).toBe(true)
    expect(double.take()).toEqual(Array.from({ length: 2 }, () => `HEAD /v2/team/app/blobs/${blob.digest}`))
  })

  test('does not take a refusal for an absence, and asks for the reason', async () => {
    const { double, repository } = await setUp({
      faults: [{ on: /blobs/, change: fault.status(403, 'denied by the endpoint policy') }],
    })
    const error = await failureOf(repository.exists(blob))
    expect(error).toMatchObject({
      kind: 'auth',
      message: expect.stringContaining('denied by the endpoint policy'),
    })
    expect(double.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
  })

  test('looks with GET when the store behind a redirect refuses HEAD', async () => {
    const store = await startDouble({
      faults: [{ on: /^HEAD/, change: fault.status(403) }],
    })
    running.push(store)
    store.addBlob('team/app', content)
    const { repository } = await setUp({ faults: [{ on: /blobs/, change: fault.redirectTo(store.origin) }] })
    expect(await repository.exists(blob)).toBe(true)
    expect(store.requests.at(-1)?.headers['range']).toBe('bytes=0-0')
  })
})
