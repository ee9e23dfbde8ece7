import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { answer, changed, endless, redirectTo, status, type Fault } from '../support/registry/faults.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { measured, type Measured } from './measured.ts'

let folder: string
let small: SmallBundle
let authority: TestAuthority
const doubles: RegistryDouble[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-hosts-'))
  ;[small, authority] = await Promise.all([makeSmallBundle(), createAuthority()])
})
afterAll(async () => {
  await Promise.all([small.remove(), authority.remove(), ...doubles.map((each) => each.stop())])
  rmSync(folder, { recursive: true })
})

const image = buildImage([layerOf({ file: noise(50_000, 1) })])

/** The image is at `a/b:1` of a registry that behaves as told. */
async function start(...faults: readonly Fault[]): Promise<RegistryDouble> {
  const double = await startDouble({ faults })
  doubles.push(double)
  for (const content of image.blobs.values()) double.addBlob('a/b', content)
  double.addManifest('a/b', image.raw, '1')
  return double
}

async function exporting(host: string, ...more: readonly string[]): Promise<Measured> {
  const spec = `${host.replace(/\W/g, '-')}.yaml`
  writeFileSync(join(folder, spec), `images: ["${host}/a/b:1"]\n`)
  return measured(['export', `${spec}.tar`, '--spec', spec, '--allow-missing-platform', ...more], folder)
}

/** One refusal, no bundle, little memory; and nobody was asked who must not be. */
function expectRefused(outcome: Measured, words: RegExp, codes: readonly number[]): void {
  expect(outcome.stderr).toMatch(words)
  expect(outcome.stderr.match(/^error: /gm)).toHaveLength(1)
  expect(outcome.stderr).not.toContain('bug in ma-bundle')
  expect(codes).toContain(outcome.code)
  expect(outcome.peak).toBeLessThan(350)
  expect(readdirSync(folder).filter((name) => name.endsWith('.tar'))).toEqual([])
}

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
const listing = (body: Buffer, headers: Record<string, string> = {}) => ({
  status: 200,
  headers: { 'content-type': OCI_INDEX, ...headers },
  body,
})
const gzippedList: Fault['change'] = () =>
  listing(gzipSync(Buffer.alloc(5_000_000, ' ')), { 'content-encoding': 'gzip' })
function pagesOfReferrers(): Fault['change'] {
  let page = 0
  return (_, { path }) => {
    page += 1
    const manifests = Array.from({ length: 1000 }, (__, at) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${String(page * 1000 + at).padStart(64, '0')}`,
      size: 2,
    }))
    const link = `<${path}?page=${page}>; rel="next"`
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
    return listing(Buffer.from(JSON.stringify(index)), { link })
  }
}

const MANIFEST = /^(?:GET|HEAD) .*\/manifests\//
const BLOB = /^GET .*\/blobs\//

describe('a registry that', () => {
  it.concurrent.each<[string, Fault, RegExp, number[]]>([
    [
      'sends a manifest without end',
      { on: MANIFEST, change: endless },
      /larger than the 4 MiB|wrong|digest/,
      [5],
    ],
    ['sends a blob without end', { on: BLOB, change: endless }, /more than the|is longer|wrong/, [5]],
    [
      'sends a manifest of 100 MB',
      {
        on: MANIFEST,
        change: changed(({ headers }) => ({
          headers: { ...headers, 'content-length': '100000000' },
          body: Buffer.alloc(100_000_000, ' '),
        })),
      },
      /larger than the 4 MiB/,
      [5],
    ],
    [
      'sends another manifest than its digest says',
      { on: MANIFEST, change: changed(({ body }) => ({ body: Buffer.concat([body, Buffer.from(' ')]) })) },
      /has the digest|wrong/,
      [5],
    ],
    [
      'says another type than the manifest does',
      {
        on: MANIFEST,
        change: changed(({ headers }) => ({
          headers: { ...headers, 'content-type': 'application/vnd.oci.image.index.v1+json' },
        })),
      },
      /the manifest says it is/,
      [5],
    ],
    [
      'answers with a page',
      {
        on: MANIFEST,
        change: answer({
          status: 200,
          headers: { 'content-type': 'text/html' },
          body: Buffer.from('<html>hello</html>'),
        }),
      },
      /does not look like a registry/,
      [1, 5],
    ],
    [
      'sends other bytes of a blob',
      { on: BLOB, change: changed(({ body }) => ({ body: Buffer.from(body.map((byte) => byte ^ 1)) })) },
      /its digest is/,
      [5],
    ],
    [
      'sends a blob of another length',
      { on: BLOB, change: changed(({ body }) => ({ body: Buffer.concat([body, Buffer.alloc(1000)]) })) },
      /wrong bytes|longer/,
      [5],
    ],
    [
      'leads to the metadata service',
      { on: BLOB, change: redirectTo('http://169.254.169.254') },
      /169\.254\.169\.254/,
      [1, 4, 5],
    ],
    ['leads round in a circle', { on: BLOB, change: redirectTo('') }, /more than 10 redirects/, [1]],
    [
      'leads to a file',
      { on: BLOB, change: status(307, '', { location: 'file:///etc/passwd' }) },
      /its Location is file:/,
      [1],
    ],
    [
      'leads to nowhere',
      { on: BLOB, change: status(307, '', { location: 'http://[' }) },
      /its Location is not a URL/,
      [1],
    ],
    [
      'names a login service on another machine of this network',
      { on: /./, change: status(401, '', { 'www-authenticate': 'Bearer realm="file:///etc/passwd"' }) },
      /login service that cannot be used/,
      [3],
    ],
    [
      'asks for a login in ten thousand ways',
      { on: /./, change: status(401, '', { 'www-authenticate': 'Basic, '.repeat(7000) }) },
      /401|headers/,
      [3, 4],
    ],
    [
      'has headers without end',
      {
        on: MANIFEST,
        change: changed(({ headers }) => ({ headers: { ...headers, 'x-more': 'x'.repeat(1_000_000) } })),
      },
      /headers|cut/,
      [4],
    ],
    [
      'asks to wait for a year',
      { on: MANIFEST, change: status(429, '', { 'retry-after': '31536000' }) },
      /429/,
      [4],
    ],
    [
      'asks to wait for ever',
      { on: MANIFEST, change: status(503, '', { 'retry-after': '9'.repeat(400) }) },
      /503/,
      [4],
    ],
    [
      'writes to the terminal',
      {
        on: MANIFEST,
        change: status(
          403,
          JSON.stringify({ errors: [{ code: 'DENIED', message: '\u001b]0;owned\u0007\u001b[2J' }] }),
          { 'content-type': 'application/json' },
        ),
      },
      /DENIED/,
      [3],
    ],
    ['explains itself in 50 MB', { on: MANIFEST, change: status(403, 'x'.repeat(50_000_000)) }, /403/, [3]],
    [
      'nests its explanation a million deep',
      { on: MANIFEST, change: status(403, '['.repeat(1_000_000), { 'content-type': 'application/json' }) },
      /403/,
      [3],
    ],
  ])('%s', async (_, fault, words, codes) => {
    const { host } = await start(fault)
    const outcome = await exporting(host)
    expectRefused(outcome, words, codes)
    expect(outcome.stderr).not.toContain('\u001b')
    expect(outcome.stderr.length).toBeLessThan(5000)
  })

  it.each<[string, Fault['change'], RegExp]>([
    [
      '200 MB at once',
      changed(() => listing(Buffer.alloc(200_000_000, ' '))),
      /list is larger than 4 MiB a page/,
    ],
    ['5 MB, folded to 5 KB', gzippedList, /list is larger than 4 MiB a page/],
    [
      'without end',
      (next) => ({ ...next(), ...listing(Buffer.from('{}')), endless: true }),
      /larger than 4 MiB/,
    ],
    ['a page after the other', pagesOfReferrers(), /more than 10000 signatures or attestations of one image/],
  ])('lists signatures, %s, does not pass for one without any', async (_, change, words) => {
    const { host } = await start({ on: /\/referrers\//, change })
    const outcome = await exporting(host, '--referrers')
    expectRefused(outcome, words, [5])
    expect(outcome.stderr).toContain(`${host}/a/b`)
  })

  it('lists tags on pages without end', async () => {
    let page = 0
    const double = await start()
    const { host } = double
    expect((await measured(['import', small.file, '--registry', host], folder)).code).toBe(0)
    double.addFault({
      on: /charts\/web\/tags\/list/,
      change: (_, { path }) => {
        page += 1
        const link = `<${path}?last=${page}>; rel="next"`
        const body = Buffer.from(JSON.stringify({ name: 'x', tags: ['1.2.3'] }))
        return { status: 200, headers: { 'content-type': 'application/json', link }, body }
      },
    })
    const outcome = await measured(['verify', small.file, '--registry', host], folder)
    expect(outcome.stderr).toMatch(/continues its list after \d+ pages/)
    expect(outcome.code).toBe(0)
    expect(page).toBeLessThan(5000)
  })

  it.each([
    ['the metadata service', 'http://169.254.169.254/latest', /169\.254\.169\.254/],
    ['it in another spelling', 'http://0xa9fea9fe/latest', /169\.254\.169\.254/],
    ['it by IPv6', 'http://[fd00:ec2::254]/latest', /fd00:ec2::254/],
    ['a link-local address', 'http://[fe80::1]/', /fe80::1/],
    ['a file', 'file:///etc/passwd', /its Location is file:/],
    ['nowhere', 'http://[', /its Location is not a URL/],
  ])('sends uploads to %s', async (_, location, words) => {
    const target = await startDouble({
      faults: [
        {
          on: /^POST .*\/blobs\/uploads\//,
          change: changed(({ headers }) => ({ headers: { ...headers, location } })),
        },
      ],
    })
    doubles.push(target)
    const outcome = await measured(['import', small.file, '--registry', target.host], folder)
    expect(outcome.stderr).toMatch(words)
    expect(outcome.stderr.match(/^error: /gm)).toHaveLength(1)
    expect(outcome.code).toBe(1)
  })

  it('sends an upload to a foreign host gets no credential there', async () => {
    const foreign = await startDouble()
    const target = await startDouble({
      access: { kind: 'basic', username: 'user', password: 'secret-of-the-registry' },
      faults: [
        {
          on: /^POST .*\/blobs\/uploads\//,
          change: changed(({ headers }) => ({
            headers: { ...headers, location: `${foreign.origin}/v2/a/blobs/uploads/x?_state=a%2Bb` },
          })),
        },
      ],
    })
    try {
      writeFileSync(
        join(folder, 'config.json'),
        JSON.stringify({
          auths: { [target.host]: { auth: Buffer.from('user:secret-of-the-registry').toString('base64') } },
        }),
      )
      const outcome = await measured(['import', small.file, '--registry', target.host], folder, {
        DOCKER_CONFIG: folder,
      })
      expect(outcome.code).not.toBe(0)
      expect(outcome.stderr).not.toContain('bug in ma-bundle')
      expect(foreign.requests.length).toBeGreaterThan(0)
      for (const { headers } of foreign.requests) expect(headers['authorization']).toBeUndefined()
    } finally {
      await Promise.all([foreign.stop(), target.stop()])
    }
  })
})

describe('headers that do not end', () => {
  let server: Server
  afterEach(() => server.close())

  it('are cut off', async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 200 OK\r\n')
      const more = (): void => {
        while (!socket.destroyed && socket.write(`x-${Math.random()}: ${'y'.repeat(1000)}\r\n`));
        if (!socket.destroyed) socket.once('drain', more)
      }
      more()
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const bound = server.address()
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0
    expectRefused(await exporting(`127.0.0.1:${port}`), /headers|cut|answer/, [4])
  })
})

describe('a chart repository that', () => {
  async function charts(location: string, words: RegExp, tls = false): Promise<void> {
    const certificate = tls ? await authority.issue(`charts-${Math.random()}`) : undefined
    const double = await startDouble({
      ...(certificate === undefined ? {} : { tls: certificate }),
      faults: [{ on: /index\.yaml/, change: status(302, '', { location }) }],
    })
    doubles.push(double)
    writeFileSync(
      join(folder, 'charts.yaml'),
      `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: x\nversion: 1.0.0\ngroups:\n  - name: a\n    charts: [{ name: web, version: 1.2.3, repository: '${double.origin}/charts' }]\n`,
    )
    const more = tls ? ['--ca-file', authority.caFile] : []
    const outcome = await measured(['export', 'out.tar', '--spec', 'charts.yaml', ...more], folder)
    expectRefused(outcome, words, [1, 4, 5])
  }

  it('leads to a file', () => charts('file:///etc/passwd', /neither https nor http/))
  it('leads to data', () => charts('data:text/yaml,apiVersion: v1', /neither https nor http/))
  it('gives up TLS', () => charts('http://charts.example/index.yaml', /gives up TLS/, true))
  it('leads to itself', () => charts('/charts/index.yaml', /more than 10 redirects/))
})
