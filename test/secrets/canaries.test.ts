import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import { answer, changed, reset, status, type Fault } from '../support/registry/faults.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { runShell } from '../support/shell.ts'
import { basic, CANARIES, createCanaryPlace, environment } from './canary.ts'

/** The files are what the tests themselves put there. */
const canary = createCanaryPlace([
  'config.json',
  'docker-credential-canary',
  'spec.yaml',
  'ma-bundle.config.yaml',
])
const { place, everyWay } = canary
let small: SmallBundle
let authority: TestAuthority
const running: { stop(): Promise<void> }[] = []
const servers: Server[] = []
beforeAll(async () => {
  ;[small, authority] = await Promise.all([makeSmallBundle(), createAuthority()])
})
afterAll(async () => {
  await Promise.all([small.remove(), authority.remove(), ...running.map((one) => one.stop())])
  for (const server of servers) server.close()
  canary.remove()
})

const image = buildImage([layerOf({ file: noise(20_000, 1) })])
async function registry(options: DoubleOptions = {}): Promise<RegistryDouble> {
  const double = await startDouble(options)
  running.push(double)
  for (const content of image.blobs.values()) double.addBlob('a/b', content)
  double.addManifest('a/b', image.raw, '1')
  return double
}

function exporting(at: string, host: string, more: readonly string[] = []): readonly string[] {
  writeFileSync(join(at, 'spec.yaml'), `images: ["${host}/a/b:1"]\n`)
  return ['export', join(at, 'out.tar'), '--spec', join(at, 'spec.yaml'), '--allow-missing-platform', ...more]
}

function login(at: string, host: string, entry: unknown = { auth: basic() }): void {
  writeFileSync(join(at, 'config.json'), JSON.stringify({ auths: { [host]: entry } }))
}

const MANIFEST = /^(?:GET|HEAD) .*\/manifests\//
const BLOB = /^GET .*\/blobs\//
/** Says back whatever it was told, as debugging proxies do. */
const parrot =
  (code: number): Fault['change'] =>
  (_, { headers, url }) => ({
    status: code,
    headers: { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="x"' },
    body: Buffer.from(
      JSON.stringify({
        errors: [
          {
            code: 'DENIED',
            message: `authorization: ${headers['authorization'] ?? 'none'} at ${url}`,
            detail: `Authorization: ${headers['authorization'] ?? 'none'}`,
          },
        ],
      }),
    ),
  })

describe('no canary comes out of', () => {
  it.concurrent.each<[string, DoubleOptions, unknown, number | readonly number[]]>([
    [
      'a login by password',
      { access: { kind: 'basic', username: CANARIES.user, password: CANARIES.password } },
      { auth: basic() },
      0,
    ],
    [
      'a login by separate fields',
      { access: { kind: 'basic', username: CANARIES.user, password: CANARIES.password } },
      { username: CANARIES.user, password: CANARIES.password },
      0,
    ],
    [
      'a wrong password',
      { access: { kind: 'basic', username: 'else', password: 'else' } },
      { auth: basic() },
      3,
    ],
    [
      'a token that is refused',
      { faults: [{ change: parrot(401) }] },
      { registrytoken: CANARIES.registryToken },
      3,
    ],
    [
      'an identity token',
      { access: { kind: 'bearer', username: 'u', password: 'p' } },
      { identitytoken: CANARIES.identity },
      [0, 1, 3],
    ],
    ['a 401 that says back the password', { faults: [{ change: parrot(401) }] }, { auth: basic() }, 3],
    [
      'a 403 that says back the password',
      {
        access: { kind: 'basic', username: CANARIES.user, password: CANARIES.password },
        faults: [{ on: MANIFEST, change: parrot(403) }],
      },
      { auth: basic() },
      3,
    ],
    ['a 404', { faults: [{ on: MANIFEST, change: parrot(404) }] }, { auth: basic() }, [1]],
    ['a 400', { faults: [{ on: BLOB, change: parrot(400) }] }, { auth: basic() }, [1]],
    [
      'a 429 that asks for too much',
      {
        faults: [
          { on: MANIFEST, change: status(429, CANARIES.bearer.replace(/.*/, ''), { 'retry-after': '9999' }) },
        ],
      },
      { auth: basic() },
      4,
    ],
    [
      'a 500 that says back the password',
      { faults: [{ on: BLOB, change: parrot(500) }] },
      { auth: basic() },
      4,
    ],
    ['a cut', { faults: [{ on: BLOB, change: reset }] }, { auth: basic() }, 4],
    [
      'a redirect to a signed address that is refused',
      {
        faults: [
          {
            on: /signed=/,
            change: (_, { url }) => ({
              status: 403,
              headers: { 'content-type': 'application/xml' },
              body: Buffer.from(
                `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired: ${url.split('?')[0]}</Message><StringToSign>${CANARIES.presigned}</StringToSign></Error>`,
              ),
            }),
          },
          {
            on: /\/blobs\/[^?]*$/,
            change: (_, { path }) => ({
              status: 307,
              headers: { location: `${path}?signed=1&X-Amz-Signature=${CANARIES.presigned}` },
              body: Buffer.alloc(0),
            }),
          },
        ],
      },
      { auth: basic() },
      [1, 3],
    ],
    [
      'a redirect to a signed address that says itself back in plain text',
      {
        faults: [
          {
            on: /signed=/,
            change: (_, { url }) => ({
              status: 500,
              headers: { 'content-type': 'text/plain' },
              body: Buffer.from(`no backend for http://s3.example${url} and ${url}`),
            }),
          },
          {
            on: /\/blobs\/[^?]*$/,
            change: (_, { path }) => ({
              status: 307,
              headers: {
                location: `${path}?signed=1&X-Amz-Signature=${CANARIES.presigned}&X-Amz-Credential=${CANARIES.presigned}`,
              },
              body: Buffer.alloc(0),
            }),
          },
        ],
      },
      { auth: basic() },
      4,
    ],
    [
      'a redirect to a signed address with wrong bytes',
      {
        faults: [
          {
            on: /signed=/,
            change: changed(({ body }) => ({ body: Buffer.from(body.map((byte) => byte ^ 1)) })),
          },
          {
            on: /\/blobs\/[^?]*$/,
            change: (_, { path }) => ({
              status: 307,
              headers: { location: `${path}?signed=1&sig=${CANARIES.presigned}` },
              body: Buffer.alloc(0),
            }),
          },
        ],
      },
      { auth: basic() },
      5,
    ],
    [
      'a redirect to a private address',
      {
        faults: [
          {
            on: BLOB,
            change: answer({
              status: 307,
              headers: {
                location: `http://${CANARIES.user}:${CANARIES.password}@169.254.169.254/x?token=${CANARIES.presigned}`,
              },
              body: Buffer.alloc(0),
            }),
          },
        ],
      },
      { auth: basic() },
      1,
    ],
    [
      'a login service that fails with what it was sent',
      {
        faults: [
          {
            on: /\/token/,
            change: (_, { url, headers, body }) => ({
              status: 500,
              headers: {},
              body: Buffer.from(`${url} ${headers['authorization'] ?? ''} ${body.toString()}`),
            }),
          },
          { change: status(401, '', { 'www-authenticate': 'Bearer realm="/token",service="x"' }) },
        ],
      },
      { identitytoken: CANARIES.identity },
      [3, 4],
    ],
    [
      'a login service that hands out a token nobody takes',
      {
        faults: [
          {
            on: /\/token/,
            change: answer({
              status: 200,
              headers: { 'content-type': 'application/json' },
              body: Buffer.from(JSON.stringify({ token: CANARIES.bearer })),
            }),
          },
          {
            change: (next, request) => ({
              ...parrot(401)(next, request),
              headers: { 'www-authenticate': 'Bearer realm="/token",service="x"' },
            }),
          },
        ],
      },
      { auth: basic() },
      3,
    ],
  ])(
    '%s',
    async (what, options, entry, code) => {
      const { host } = await registry(options)
      await everyWay(
        what,
        (at) => {
          login(at, host, entry)
          return { args: exporting(at, host) }
        },
        code,
      )
    },
    90_000,
  )

  it('a password from standard input that is refused', async () => {
    const { host } = await registry({ faults: [{ change: parrot(401) }] })
    await everyWay(
      'stdin',
      (at) => ({
        args: exporting(at, host, ['--username', `${host}=${CANARIES.user}`, '--password-stdin']),
        stdin: `${CANARIES.stdin}\n`,
      }),
      3,
    )
  })

  it('a credential helper that prints the secret and fails', async () => {
    const { host } = await registry()
    for (const script of [
      `echo '{"ServerURL":"x","Username":"${CANARIES.user}","Secret":"${CANARIES.helper}"}'; exit 1`,
      `echo 'token=${CANARIES.helper}' >&2; exit 2`,
      `echo 'Secret: ${CANARIES.helper}'; exit 0`,
      `printf '{"Username":"${CANARIES.user}","Secret":"${CANARIES.helper}"'; exit 0`,
    ]) {
      await everyWay(
        'helper',
        (at) => {
          writeFileSync(join(at, 'docker-credential-canary'), `#!/bin/sh\n${script}\n`)
          chmodSync(join(at, 'docker-credential-canary'), 0o755)
          writeFileSync(join(at, 'config.json'), JSON.stringify({ credHelpers: { [host]: 'canary' } }))
          return { args: exporting(at, host) }
        },
        [0, 3],
      )
    }
  })

  it('a docker configuration that is broken', async () => {
    const { host } = await registry({ access: { kind: 'basic', username: 'u', password: 'p' } })
    for (const text of [
      `{"auths":{"${host}":{"auth":"${basic()}"}}`,
      `{"auths":{"${host}":{"auth":"${basic()}",,}}}`,
      CANARIES.password,
    ]) {
      await everyWay(
        'config',
        (at) => {
          writeFileSync(join(at, 'config.json'), text)
          return { args: exporting(at, host) }
        },
        [2, 3],
      )
    }
  })

  it('TLS that nobody trusts', async () => {
    const tls = await authority.issue(`tls-${CANARIES.helper.slice(0, 4)}`)
    const { host } = await registry({ tls })
    await everyWay(
      'tls',
      (at) => {
        login(at, host)
        return { args: exporting(at, host) }
      },
      4,
    )
  })

  it.each([407, 403, 502])(
    'a proxy that answers %i',
    async (code) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        socket.on('data', (chunk) => {
          const said = Buffer.from(`you said: ${chunk.toString()}`)
          socket.end(`HTTP/1.1 ${code} no\r\ncontent-length: ${said.length}\r\n\r\n${said.toString()}`)
        })
      })
      servers.push(server)
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve)
      })
      const bound = server.address()
      const port = typeof bound === 'object' && bound !== null ? bound.port : 0
      const proxy = `http://${CANARIES.proxyUser}:${CANARIES.proxyPassword}@127.0.0.1:${port}`
      for (const host of ['registry.example', 'plain.example:5000']) {
        await everyWay(
          `proxy ${code}`,
          (at) => {
            login(at, host)
            return {
              args: exporting(at, host, ['--insecure-registry', 'plain.example:5000']),
              env: { HTTPS_PROXY: proxy, HTTP_PROXY: proxy },
            }
          },
          [3, 4],
        )
      }
    },
    120_000,
  )

  it.each([
    ['a proxy that is written wrongly', 'socks4', 2],
    ['a SOCKS proxy that is not there', 'socks5', 4],
  ])('%s', async (what, scheme, code) => {
    await everyWay(
      what,
      (at) => ({
        args: exporting(at, 'registry.example'),
        env: { HTTPS_PROXY: `${scheme}://${CANARIES.proxyUser}:${CANARIES.proxyPassword}@127.0.0.1:1` },
      }),
      code,
    )
  })

  it('a chart repository with the password in its address', async () => {
    for (const address of [
      `http://${CANARIES.user}:${CANARIES.password}@${small.source.host}/charts`,
      `http://${small.source.host}/charts?token=${CANARIES.presigned}`,
    ]) {
      await everyWay(
        'chart address',
        (at) => {
          writeFileSync(
            join(at, 'spec.yaml'),
            `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: x\nversion: 1.0.0\ngroups:\n  - name: a\n    charts: [{ name: web, version: 1.2.3, repository: '${address}' }]\n`,
          )
          return { args: ['export', join(at, 'out.tar'), '--spec', join(at, 'spec.yaml')] }
        },
        2,
      )
    }
  })
})

describe('no path of this machine comes out of', () => {
  const bundle = (): string => small.file
  it.each<[string, (at: string) => readonly string[], number | readonly number[]]>([
    ['a bundle that is not there', (at) => ['inspect', join(at, 'none.tar')], 2],
    ['a bundle that is a folder', (at) => ['verify', at], [1, 2]],
    ['an output into no folder', (at) => ['export', join(at, 'no', 'out.tar'), '--spec', small.spec], [1, 2]],
    ['an output that is a folder', (at) => ['export', at, '--spec', small.spec], 2],
    ['a spec that is not there', (at) => ['export', join(at, 'out.tar'), '--spec', join(at, 'none.yaml')], 2],
    ['a spec that is a folder', (at) => ['export', join(at, 'out.tar'), '--spec', at], 2],
    [
      'a lock that is not there',
      (at) => ['export', join(at, 'o.tar'), '--spec', small.spec, '--lock', join(at, 'none')],
      2,
    ],
    [
      'a CA file that is not there',
      (at) => [...exporting(at, '127.0.0.1:1'), '--ca-file', join(at, 'none.pem')],
      2,
    ],
    [
      'a certificate that is not there',
      (at) => [...exporting(at, '127.0.0.1:1'), '--client-cert', `127.0.0.1:1=${join(at, 'none.pem')}`],
      2,
    ],
    ['a config that is not there', (at) => ['inspect', bundle(), '--config', join(at, 'none.yaml')], 2],
    [
      'values into no folder',
      (at) => ['import', bundle(), '--registry', '127.0.0.1:1', '--values', join(at, 'no', 'v.yaml')],
      [2, 4],
    ],
    ['values that are printed', () => ['values', bundle(), '--registry', 'registry.example'], 0],
    ['inspect', () => ['inspect', bundle()], 0],
    ['verify', () => ['verify', bundle()], 0],
    [
      'repair from nowhere',
      (at) => ['verify', bundle(), '--repair-from', join(at, 'none.tar')],
      [0, 1, 2, 4],
    ],
    ['export', (at) => ['export', join(at, 'out.tar'), '--spec', small.spec], 0],
    ['lock', (at) => ['lock', '--spec', small.spec, '--output', join(at, 'x.lock.json')], [0, 2]],
    [
      'iam-policy',
      () => ['iam-policy', '--registry', '123456789012.dkr.ecr.eu-central-1.amazonaws.com'],
      [0, 2],
    ],
    ['doctor', () => ['doctor', '--registry', '127.0.0.1:1'], [0, 1, 2, 3, 4]],
  ])('%s', async (what, args, code) => {
    await everyWay(what, (at) => ({ args: args(at) }), code)
  })

  it('a spec with a slip in it', async () => {
    await everyWay(
      'slip',
      (at) => {
        writeFileSync(join(at, 'spec.yaml'), 'imags: []\n')
        return { args: ['export', join(at, 'out.tar'), '--spec', join(at, 'spec.yaml')] }
      },
      2,
    )
  })
})

describe('ECR', () => {
  let ecr: Ecr
  beforeAll(async () => {
    ecr = await startEcr({ tls: false, quotas: 'none' })
  })
  afterAll(() => ecr.stop())
  const to = (at: string): readonly string[] => [
    'import',
    small.file,
    '--registry',
    ecr.registry,
    '--endpoint-url',
    ecr.endpoint,
    '--region',
    ecr.region,
    '--values',
    join(at, 'values.yaml'),
  ]

  it('says nothing of credentials it refuses', async () => {
    await everyWay('refused', (at) => ({ args: to(at) }), [1, 3])
  })

  it('says nothing of credentials it takes, in outputs, values and records', async () => {
    await everyWay(
      'taken',
      (at) => ({ args: to(at), env: { AWS_SESSION_TOKEN: '', ...ecr.environment, XDG_STATE_HOME: at } }),
      0,
      (at) => [join(at, 'values')],
    )
  })
})

it('modes: the bundle is for all to read, the state for its owner', async () => {
  const at = place()
  const { code } = await runShell(['export', join(at, 'out.tar'), '--spec', small.spec], {
    env: environment(at),
  })
  expect(code).toBe(0)
  expect(statSync(join(at, 'out.tar')).mode & 0o777).toBe(0o644)
  expect(statSync(join(at, 'out.tar.lock.json')).mode & 0o022).toBe(0)
})
