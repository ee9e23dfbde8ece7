import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createServer } from 'node:net'
import { bytesOf } from '../../src/lib/bytes/bytes.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { noise } from '../support/images.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'
import { digestAll, failureOf, harness } from '../support/registry/harness.ts'

const running: RegistryDouble[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

const INDEX = Buffer.from(
  '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
)

async function setUp(options: DoubleOptions = {}, more: Parameters<typeof harness>[0] = {}) {
  const double = await startDouble(options)
  running.push(double)
  double.addManifest('team/app', INDEX, 'v1')
  const made = harness(more)
  return { double, ...made, repository: openRepository(made.client, double.host, 'team/app') }
}

describe('patience', () => {
  test('58 images of a host that answers 429 to every third request arrive, slower', async () => {
    const { double, client, events } = await setUp({ faults: [{ every: 3, change: fault.tooMany() }] })
    const images = Array.from({ length: 58 }, (_, at) => {
      const layer = double.addBlob(`app/${at}`, noise(3000, at + 1))
      const config = double.addBlob(`app/${at}`, Buffer.from(`{"n":${at}}`))
      const mediaType = 'application/vnd.oci.image.manifest.v1+json'
      double.addManifest(`app/${at}`, { schemaVersion: 2, mediaType, config, layers: [layer] }, 'v1')
      return { at, layer, config }
    })
    await Promise.all(
      images.map(async ({ at, layer, config }) => {
        const repository = openRepository(client, double.host, `app/${at}`)
        await repository.resolve('v1')
        expect((await digestAll(await repository.fetch(layer))).digest).toBe(layer.digest)
        expect((await digestAll(await repository.fetch(config))).digest).toBe(config.digest)
      }),
    )
    expect(events.filter(({ type }) => type === 'retry').length).toBe(Math.floor(double.requests.length / 3))
  })

  test('does as Retry-After says, in seconds', async () => {
    const { double, repository, events } = await setUp({
      faults: [{ times: 1, change: fault.tooMany({ 'retry-after': '0.3' }) }],
    })
    const before = performance.now()
    expect(await repository.head('v1')).toBeDefined()
    expect(performance.now() - before).toBeGreaterThanOrEqual(300)
    expect(double.requests).toHaveLength(2)
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'throttle', host: double.host, waitMs: 300 }),
    )
  })

  test('does as Retry-After says, as a date, and lets nothing else through meanwhile', async () => {
    const { double, repository } = await setUp()
    const until = Date.now() + 2000
    double.addFault({ times: 1, change: fault.tooMany({ 'retry-after': new Date(until).toUTCString() }) })
    const first = repository.head('v1')
    await expect.poll(() => double.requests.length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await Promise.all([first, repository.head('v1')])
    // Dates have whole seconds.
    expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(until / 1000) * 1000)
    expect(double.requests).toHaveLength(3)
  })

  test('waits for a short window in which no requests remain', async () => {
    const { repository, events } = await setUp({
      faults: [
        { times: 1, change: fault.withHeaders({ 'ratelimit-remaining': '0', 'ratelimit-reset': '1' }) },
      ],
    })
    await repository.head('v1')
    expect(events).toEqual([expect.objectContaining({ type: 'throttle', waitMs: 1000 })])
  })

  test('ends when a host asks to wait for hours', async () => {
    const { double, repository } = await setUp({
      faults: [{ change: fault.tooMany({ 'retry-after': '7200' }) }],
    })
    const error = await failureOf(repository.resolve('v1'))
    expect(error).toMatchObject({ kind: 'network', message: expect.stringContaining('TOOMANYREQUESTS') })
    expect(error.next).toContain('in 120 min')
    expect(double.requests).toHaveLength(1)
  })

  test('ends at a used-up pull quota and names the way out', async () => {
    const words =
      'You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit'
    const { double, repository } = await setUp({ faults: [{ change: fault.tooMany({}, words) }] })
    const error = await failureOf(repository.resolve('v1'))
    expect(error.message).toContain('pull rate limit')
    expect(error.next).toContain('--mirror docker.io=mirror.gcr.io')
    expect(double.requests).toHaveLength(1)
  })

  test('knows what remains of a quota', async () => {
    const { double, client, repository } = await setUp({
      faults: [
        {
          change: fault.withHeaders({
            'ratelimit-limit': '100;w=21600',
            'ratelimit-remaining': '76;w=21600',
          }),
        },
      ],
    })
    expect(client.rateLimit(double.host)).toBeUndefined()
    await repository.head('v1')
    expect(client.rateLimit(double.host)).toEqual({ limit: 100, remaining: 76, windowSeconds: 21600 })
  })

  test.each([408, 429, 500, 502, 503, 504])('tries again after %i', async (code) => {
    const { double, repository, events } = await setUp({ faults: [{ times: 2, change: fault.status(code) }] })
    expect((await repository.resolve('v1')).raw).toEqual(INDEX)
    expect(double.requests).toHaveLength(3)
    expect(events).toMatchObject([
      { type: 'retry', host: double.host, what: `${double.host}/team/app:v1`, attempt: 1 },
      { type: 'retry', attempt: 2, reason: expect.stringContaining(`answered ${code}`) },
    ])
  })

  test.each([400, 401, 403, 404, 501])('does not try again after %i', async (code) => {
    const { double, repository } = await setUp({
      faults: [{ on: /manifests/, change: fault.status(code, '{"errors":[{"code":"X"}]}') }],
    })
    await failureOf(repository.resolve('v1'))
    expect(double.requests).toHaveLength(1)
  })

  test('ends after the tries are used up, as a failure of the network', async () => {
    const { double, repository } = await setUp({
      faults: [{ change: fault.status(503, 'back-end server is at capacity') }],
    })
    const error = await failureOf(repository.resolve('v1'))
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('back-end server is at capacity'),
    })
    expect(double.requests).toHaveLength(5)
  })

  test('tries again after a cut connection', async () => {
    const { double, repository } = await setUp({ faults: [{ times: 2, change: fault.reset }] })
    expect(await repository.head('v1')).toBeDefined()
    expect(double.requests).toHaveLength(3)
  })

  test('ends at once when cancelled, also while it waits', async () => {
    const stop = new AbortController()
    const { double, repository } = await setUp(
      { faults: [{ change: fault.tooMany({ 'retry-after': '30' }) }] },
      { signal: stop.signal },
    )
    const waiting = failureOf(repository.resolve('v1'))
    await expect.poll(() => double.requests.length).toBe(1)
    stop.abort()
    expect((await waiting).kind).toBe('cancelled')
    expect((await failureOf(repository.resolve('v1'))).kind).toBe('cancelled')
    expect(double.requests).toHaveLength(1)
  })

  test('everything arrives whole from a host where everything goes wrong', async () => {
    const { double, client } = await setUp(
      {
        access: { kind: 'bearer', expiresIn: 1 },
        faults: [
          { every: 5, change: fault.tooMany({ 'retry-after': '0' }) },
          { every: 7, change: fault.reset },
          { on: /^GET .*blobs/, every: 3, change: fault.cutAfter(40_000) },
          { every: 11, change: fault.status(502, '<html><title>Bad Gateway</title></html>') },
          { every: 13, change: fault.status(500) },
          { on: /^GET .*blobs/, every: 6, change: fault.stallAfter(10_000) },
          { on: /token/, every: 4, change: fault.status(503) },
        ],
      },
      { net: { stallSeconds: 1 }, retry: { attempts: 25, baseMs: 4, maxMs: 40 } },
    )
    const blobs = Array.from({ length: 20 }, (_, at) =>
      double.addBlob('from/app', noise(100_000 + at, at + 1)),
    )
    const [from, to] = ['from/app', 'to/app'].map((name) => openRepository(client, double.host, name))
    if (from === undefined || to === undefined) throw new Error('two repositories')
    await Promise.all(blobs.map((blob) => to.push(blob, (start) => from.fetch(blob, start))))
    const arrived = double.contents.blobs.get('to/app') ?? new Map<string, Buffer>()
    expect([...arrived.keys()].toSorted()).toEqual(blobs.map(({ digest }) => digest).toSorted())
    expect(blobs.every(({ digest, size }) => arrived.get(digest)?.length === size)).toBe(true)
  })

  test('a copy within one registry does not wait for itself', async () => {
    const { double, client } = await setUp({}, { concurrencyPerHost: 1 })
    const blobs = Array.from({ length: 8 }, (_, at) => double.addBlob('from/app', noise(200_000, at + 1)))
    const [from, to] = ['from/app', 'to/app'].map((name) => openRepository(client, double.host, name))
    if (from === undefined || to === undefined) throw new Error('two repositories')
    await Promise.all(blobs.map((blob) => to.push(blob, (start) => from.fetch(blob, start))))
    expect(double.contents.blobs.get('to/app')?.size).toBe(8)
  })
})

describe('errors', () => {
  test('carry no secrets of the URL and no control characters', async () => {
    const words = 'see https://cdn.example/x?X-Amz-Signature=abc \u001b[31mred'
    const { repository } = await setUp({
      faults: [{ change: fault.status(400, words, { 'content-type': 'text/plain' }) }],
    })
    const { message } = await failureOf(repository.resolve('v1'))
    expect(message).toContain('see https://cdn.example/x [31mred')
    expect(message).not.toContain('Signature')
  })

  test.each([
    ['400 No required SSL certificate was sent', '--client-cert'],
    ['400 The plain HTTP request was sent to HTTPS port', 'leave out --insecure-registry'],
  ])('say what helps against %s', async (title, next) => {
    const html = `<html><head><title>${title}</title></head></html>`
    const { repository } = await setUp({
      faults: [{ change: fault.status(400, html, { 'content-type': 'text/html' }) }],
    })
    expect((await failureOf(repository.resolve('v1'))).next).toContain(next)
  })

  test('read the XML of an object store', async () => {
    const xml =
      '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><StringToSign>secret</StringToSign></Error>'
    const { repository } = await setUp({
      faults: [{ change: fault.status(403, xml, { 'content-type': 'application/xml' }) }],
    })
    const { message } = await failureOf(repository.resolve('v1'))
    expect(message).toMatch(/403 to GET .*: AccessDenied: Access Denied$/)
  })

  test('tell a proxy that passes plain http on from the registry behind it', async () => {
    const { double: proxy } = await setUp({ faults: [{ change: fault.status(502, 'cannot connect') }] })
    const net = { env: { HTTP_PROXY: proxy.origin } }
    const { client } = harness({ net, insecure: ['registry.example'] })
    const error = await failureOf(openRepository(client, 'registry.example', 'a/b').resolve('v1'))
    expect(error.message).toContain(`the proxy ${proxy.host} answered for registry.example 502 to GET`)
    proxy.clearFaults()
    const api = { 'docker-distribution-api-version': 'registry/2.0' }
    proxy.addFault({ change: fault.status(502, 'no storage', api) })
    const own = await failureOf(openRepository(client, 'registry.example', 'a/b').resolve('v1'))
    expect(own.message).toContain(`registry.example (through the proxy ${proxy.host}) answered 502`)
  })

  test('are bounded in what they read', async () => {
    const { repository } = await setUp({
      faults: [{ change: (next, request) => ({ ...fault.status(400)(next, request), endless: true }) }],
    })
    expect((await failureOf(repository.resolve('v1'))).message.length).toBeLessThan(1000)
  })

  test('say when the answer has huge headers', async () => {
    const { double, repository } = await setUp({ faults: [{ change: fault.hugeHeaders(200_000) }] })
    const error = await failureOf(repository.resolve('v1'))
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('too many or too large headers'),
    })
    expect(double.requests).toHaveLength(1)
  })

  test('bear headers as large as object stores send', async () => {
    const { repository } = await setUp({ faults: [{ change: fault.hugeHeaders(30_000) }] })
    expect(await repository.head('v1')).toBeDefined()
  })

  test('say that nobody listens, without trying for long', async () => {
    const { double, repository, events } = await setUp()
    await double.stop()
    const error = await failureOf(repository.resolve('v1'))
    expect(error).toMatchObject({ kind: 'network', where: `${double.host}/team/app:v1` })
    expect(error.message).toContain('the connection was refused')
    expect(error.next).toContain('check the host and the port')
    expect(events).toHaveLength(1)
  })

  test('say that there is no such host', async () => {
    const { client } = harness()
    const error = await failureOf(openRepository(client, 'registry.invalid', 'a/b').resolve('v1'))
    expect(error).toMatchObject({ kind: 'network', message: 'registry.invalid: host name not found (DNS)' })
  })
})

describe('TLS', () => {
  let authority: TestAuthority
  beforeAll(async () => {
    authority = await createAuthority()
  })
  afterAll(() => authority.remove())

  async function secure(more: DoubleOptions['tls'] | undefined, net: Parameters<typeof harness>[0] = {}) {
    return setUp({ tls: more ?? (await authority.issue('localhost')) }, net)
  }

  test('is spoken to a registry on loopback that speaks it', async () => {
    const { double, repository } = await secure(undefined, { net: { caFiles: [authority.caFile] } })
    expect(await repository.head('v1')).toBeDefined()
    expect(double.host).toMatch(/^localhost:/)
  })

  test.each(['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'])('trusts the CA in %s', async (name) => {
    const { repository } = await secure(undefined, { net: { env: { [name]: authority.caFile } } })
    expect(await repository.head('v1')).toBeDefined()
  })

  test('is not spoken with an unknown CA', async () => {
    const { double, repository, events } = await secure(undefined)
    const error = await failureOf(repository.head('v1'))
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('a CA that is not trusted here'),
    })
    expect(error.next).toContain('--ca-file')
    expect(events).toEqual([])
    expect(double.requests).toEqual([])
  })

  test('is not spoken with an expired certificate', async () => {
    const expired = await authority.issue('expired', { expired: true })
    const { repository } = await secure(expired, { net: { caFiles: [authority.caFile] } })
    const error = await failureOf(repository.head('v1'))
    expect(error.message).toContain('its certificate has expired')
    expect(error.next).toContain('clock')
  })

  test('is not spoken with a certificate for another name', async () => {
    const other = await authority.issue('other', { only: ['DNS:other.example'] })
    const { repository } = await secure(other, { net: { caFiles: [authority.caFile] } })
    expect((await failureOf(repository.head('v1'))).message).toContain(
      'its certificate is for another host name',
    )
  })

  test('shows the client certificate of the host to that host', async () => {
    const server = await authority.issue('localhost')
    const client = await authority.issue('client')
    const options = { tls: { ...server, clientCa: authority.caFile } }
    const bare = await setUp(options, { net: { caFiles: [authority.caFile] } })
    const error = await failureOf(bare.repository.head('v1'))
    expect(error.message).toContain('client certificate')
    const double = bare.double
    const net = { caFiles: [authority.caFile], clientCertificates: { [double.host]: client } }
    const repository = openRepository(harness({ net }).client, double.host, 'team/app')
    expect(await repository.head('v1')).toBeDefined()
  })

  test('is missed in a plain registry that is not called insecure', async () => {
    const { double } = await setUp({ address: '0.0.0.0' })
    const strict = openRepository(harness().client, double.host, 'team/app')
    const error = await failureOf(strict.head('v1'))
    expect(error.message).toContain('it does not speak TLS on that port')
    expect(error.next).toContain('--insecure-registry')
    const lenient = openRepository(harness({ insecure: [double.host] }).client, double.host, 'team/app')
    expect(await lenient.head('v1')).toBeDefined()
  })

  test('a port that says nothing is not taken for a registry', async () => {
    const mute = createServer((socket) => socket.on('error', () => undefined))
    await new Promise<void>((resolve) => {
      mute.listen(0, '127.0.0.1', resolve)
    })
    const address = mute.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { client } = harness({ net: { stallSeconds: 1 } })
    const error = await failureOf(openRepository(client, `127.0.0.1:${port}`, 'a/b').resolve('v1'))
    mute.close()
    expect(error).toMatchObject({ kind: 'network', message: expect.stringContaining('no byte for') })
  })
})

test('kept connections are used again, and a closed one does no harm', async () => {
  const { double, repository } = await setUp()
  for (let at = 0; at < 10; at += 1) await repository.head('v1')
  // The handshake that finds out about TLS is the first.
  expect(double.connections()).toBe(2)
  double.addFault({ change: fault.withHeaders({ connection: 'close' }) })
  for (let at = 0; at < 5; at += 1)
    await repository
      .pushManifest(
        {
          descriptor: {
            mediaType: 'application/vnd.oci.image.index.v1+json',
            digest: `sha256:${'0'.repeat(64)}`,
            size: INDEX.length,
          },
          raw: INDEX,
        },
        'v1',
      )
      .catch(() => undefined)
  await repository.push(double.addBlob('x', noise(10)), async () => bytesOf(noise(10)))
  expect(await repository.head('v1')).toBeDefined()
})
