import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { startEcr } from '../support/ecr/server.ts'
import { buildImage, buildIndex, layerOf } from '../support/images.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

const image = buildIndex([
  buildImage([layerOf({ a: 'x' })], { platform: 'linux/amd64' }),
  buildImage([layerOf({ b: 'y' })], { platform: 'linux/arm64' }),
])

let folder: string
let source: EmbeddedSource
const running: RegistryDouble[] = []
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'advice-'))
  source = await startSource({ images: { 'team/app:1': image } })
  const exported = await exporting(`${source.host}/team/app:1`)
  expect(exported.code, exported.stderr).toBe(0)
})
afterAll(async () => {
  await source.stop()
  await rm(folder, { recursive: true })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

async function double(options: DoubleOptions = {}): Promise<RegistryDouble> {
  const started = await startDouble(options)
  running.push(started)
  return started
}

async function exporting(reference: string, ...args: readonly string[]): Promise<Outcome> {
  await writeFile(at('spec.yaml'), `images: ["${reference}"]\n`)
  await rm(at(`${args.length}.tar`), { force: true })
  return runShell(['export', at(`${args.length}.tar`), '--spec', at('spec.yaml'), ...args])
}

const importing = (registry: string, args: readonly string[] = [], stdin = ''): Promise<Outcome> =>
  runShell(['import', at('0.tar'), '--registry', registry, '--values', at('v.yaml'), ...args], { stdin })

const envelope = (code: string, message: string): string => JSON.stringify({ errors: [{ code, message }] })

interface Row {
  readonly on: RegExp
  readonly status: number
  readonly body: string
  /** Of the program, and the words of the registry and of the advice. */
  readonly exit: number
  readonly says: readonly string[]
  /** What the advice asks for: the registry's owner mends it, unless flags do. */
  readonly flags?: readonly string[]
}

const BLOB = /^PUT .*uploads/
const START = /^POST /
const TAG = /^PUT .*mirrored.*manifests\/1$/
const OTHER = ['--prefix', 'other']

const pushes: Record<string, Row> = {
  'a quota of storage, which Harbor calls denied': {
    on: BLOB,
    status: 403,
    body: envelope(
      'DENIED',
      'adding 1 KiB of storage resource will exceed the configured upper limit of 10 GiB',
    ),
    exit: 1,
    says: ['configured upper limit', 'have its quota raised, or delete what is not needed there'],
  },
  'a tag that may not be moved (412)': {
    on: TAG,
    status: 412,
    body: envelope('PRECONDITION', "Failed to process request due to 'team/a/b:1' configured as immutable."),
    exit: 1,
    says: ['configured as immutable', 'import to another place with --prefix'],
    flags: OTHER,
  },
  'a tag that may not be moved, which is called denied': {
    on: TAG,
    status: 403,
    body: envelope('DENIED', 'tag 1 is immutable'),
    exit: 1,
    says: ['is immutable', 'import to another place with --prefix'],
    flags: OTHER,
  },
  'a full disk': {
    on: BLOB,
    status: 500,
    body: JSON.stringify({
      errors: [{ code: 'UNKNOWN', message: 'unknown', detail: { Enclosed: { Err: 28 } } }],
    }),
    exit: 1,
    says: ['is full: have it made larger'],
  },
  'a project that is not there': {
    on: /^POST .*mirrored/,
    status: 404,
    body: envelope('NAME_UNKNOWN', 'repository name not known to registry'),
    exit: 1,
    says: ['not known to registry', 'does not make repositories or projects by itself', '--prefix'],
    flags: OTHER,
  },
  'a name it does not take': {
    on: /^POST .*mirrored/,
    status: 400,
    body: envelope('NAME_INVALID', 'invalid repository name'),
    exit: 1,
    says: ['invalid repository name', 'does not take such names', '--prefix'],
    flags: OTHER,
  },
  'a right that is missing': {
    on: START,
    status: 403,
    body: envelope('DENIED', 'requested access to the resource is denied'),
    exit: 3,
    says: ['is denied', 'log in to push: docker login'],
  },
  'no pushes at all': {
    on: START,
    status: 405,
    body: envelope('UNSUPPORTED', 'The operation is unsupported.'),
    exit: 1,
    says: ['takes no pushes', 'pull-through cache'],
  },
  'a limit of size': {
    on: BLOB,
    status: 413,
    body: '<html><title>413 Request Entity Too Large</title></html>',
    exit: 1,
    says: ['413 Request Entity Too Large', 'client_max_body_size 0'],
  },
  'a blob that went missing': {
    on: /^PUT .*manifests\/sha256/,
    status: 404,
    body: envelope('MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry'),
    exit: 1,
    says: ['blob unknown to registry', 'run the same command again with --repair'],
    flags: ['--repair'],
  },
}

describe('a push that is refused because of', () => {
  it.each(Object.entries(pushes))('%s is explained, and what the advice asks for helps', async (_, row) => {
    const target = await double()
    target.addFault({ on: row.on, change: fault.status(row.status, row.body) })
    const refused = await importing(target.host)
    expect(refused.code, refused.stderr).toBe(row.exit)
    for (const words of row.says) expect(refused.stderr).toContain(words)
    if (row.flags === undefined || row.flags[0] === '--repair') target.clearFaults()
    const followed = await importing(target.host, row.flags)
    expect(followed.code, followed.stderr).toBe(0)
  })

  it('a login that is missing names the flags that give it', async () => {
    const target = await double({ access: { kind: 'basic', username: 'me', password: 'secret-pass' } })
    const refused = await importing(target.host)
    expect(refused.code).toBe(3)
    const flags = `--username ${target.host}=<name> and --password-stdin`
    expect(refused.stderr).toContain(flags)
    const args = ['--username', `${target.host}=me`, '--password-stdin']
    expect((await importing(target.host, args, 'secret-pass')).code).toBe(0)
    const wrong = await importing(target.host, args, 'old-pass')
    expect(wrong.code).toBe(3)
    expect(wrong.stderr).toContain(`check that the credentials for ${target.host} are current`)
  })
})

it('foreign layers that distribution does not allow are explained, and allowed as it says', async () => {
  const outside = createServer((_, response) => response.end('foreign'))
  await new Promise<void>((resolve) => void outside.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/layer`
  const from = await double()
  const config = from.addBlob(
    'win',
    Buffer.from('{"os":"windows","architecture":"amd64"}'),
    'application/vnd.docker.container.image.v1+json',
  )
  const layer = from.addBlob(
    'win',
    Buffer.from('foreign'),
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  )
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json'
  from.addManifest('win', { schemaVersion: 2, mediaType, config, layers: [{ ...layer, urls: [url] }] }, '1')
  const exported = await exporting(`${from.host}/win:1`, '--platform', 'windows/amd64')
  expect(exported.code, exported.stderr).toBe(0)
  const strict = await startDockerRegistry()
  const args = ['--values', at('v.yaml')]
  const refused = await runShell(['import', at('2.tar'), '--registry', strict.host, ...args])
  await strict.stop()
  expect(refused.code, refused.stderr).toBe(1)
  expect(refused.stderr).toContain('validation.manifests.urls.allow')
  const allowing = await startDockerRegistry({ foreignUrls: '^http://127' })
  const followed = await runShell(['import', at('2.tar'), '--registry', allowing.host, ...args])
  await allowing.stop()
  outside.close()
  expect(followed.code, followed.stderr).toBe(0)
})

describe('a pull that is refused because of', () => {
  async function pulled(on: RegExp, status: number, body = ''): Promise<RegistryDouble> {
    const from = await double()
    for (const child of [...image.children, image]) {
      for (const bytes of child.blobs.values()) from.addBlob('team/app', bytes)
      from.addManifest('team/app', child.raw, child === image ? '1' : undefined, child.mediaType)
    }
    from.addFault({ on, change: fault.status(status, body) })
    return from
  }
  const mirrored = (from: RegistryDouble): readonly string[] => ['--mirror', `${from.host}=${source.host}`]

  it('a layer that is lost is taken from a mirror as the advice says', async () => {
    const from = await pulled(/GET .*blobs\//, 404, envelope('BLOB_UNKNOWN', 'blob unknown'))
    const refused = await exporting(`${from.host}/team/app:1`, '--platform', 'linux/amd64')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('the manifest is right and the registry lost this part of it')
    expect(refused.stderr).toContain('--mirror')
    expect((await exporting(`${from.host}/team/app:1`, ...mirrored(from))).code).toBe(0)
  })

  it('a digest that is gone is taken from a mirror, or by its tag', async () => {
    const from = await pulled(/manifests\/sha256/, 404, envelope('MANIFEST_UNKNOWN', 'manifest unknown'))
    const refused = await exporting(`${from.host}/team/app@${image.digest}`, '--platform', 'linux/amd64')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('check the digest; the registry may have deleted it')
    expect((await exporting(`${from.host}/team/app@${image.digest}`, ...mirrored(from))).code).toBe(0)
  })

  it('what is hidden behind a 404 that says why is a matter of permission', async () => {
    const words = envelope('UNAUTHORIZED', 'authentication required')
    const from = await pulled(/GET .*manifests/, 404, words)
    const refused = await exporting(`${from.host}/team/app:1`)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain(`docker login ${from.host}`)
  })

  it('a private repository is opened by the login that the advice names', async () => {
    const from = await double({ access: { kind: 'basic', username: 'me', password: 'secret-pass' } })
    for (const child of [...image.children, image]) {
      for (const bytes of child.blobs.values()) from.addBlob('team/app', bytes)
      from.addManifest('team/app', child.raw, child === image ? '1' : undefined, child.mediaType)
    }
    const refused = await exporting(`${from.host}/team/app:1`)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain(`--username ${from.host}=<name> and --password-stdin`)
    const args = ['export', at('p.tar'), '--spec', at('spec.yaml')]
    const login = ['--username', `${from.host}=me`, '--password-stdin']
    const followed = await runShell([...args, ...login], { stdin: 'secret-pass' })
    expect(followed.code, followed.stderr).toBe(0)
  })
})

describe('what ECR refuses', () => {
  it.each([
    ['no mediaType', { mediaType: undefined }, 'has no mediaType of its own', 'skopeo copy --format v2s2'],
    ['parameters in a type', { artifactType: 'a/b; c=d' }, 'has parameters', 'have it published without ";"'],
  ])('is explained at import as at export: %s', async (_, change, what, remedy) => {
    const from = await double()
    const config = from.addBlob(
      'app',
      Buffer.from('{"os":"linux","architecture":"amd64"}'),
      'application/vnd.oci.image.config.v1+json',
    )
    const layers = [from.addBlob('app', layerOf({ a: 'x' }))]
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const manifest = { schemaVersion: 2, mediaType, config, layers, ...change }
    from.addManifest('app', manifest, '1', mediaType)
    const exported = await exporting(`${from.host}/app:1`, '--platform', 'linux/amd64')
    expect(exported.code, exported.stderr).toBe(0)
    expect(exported.stderr).toContain(what)
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    const place = ['--registry', ecr.registry, '--endpoint-url', ecr.endpoint, '--region', ecr.region]
    const imported = await runShell(['import', at('2.tar'), ...place, '--values', at('v.yaml')], {
      env: ecr.environment,
    })
    await ecr.stop()
    expect(imported.code).toBe(1)
    expect(imported.stderr).toContain('Invalid JSON syntax')
    expect(imported.stderr).toContain(what)
    expect(imported.stderr).toContain(remedy)
  })
})
