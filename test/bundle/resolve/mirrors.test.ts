import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DOCKER_MANIFEST } from '../../../src/oci/media-types.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../../support/images.ts'
import { startDouble, type RegistryDouble } from '../../support/registry/double.ts'
import * as fault from '../../support/registry/faults.ts'
import { runShell } from '../../support/shell.ts'
import { startSource, type EmbeddedSource } from '../../support/source.ts'

let folder: string
const stops: (() => Promise<void>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mirrors-'))
})
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
  await rm(folder, { recursive: true })
})

async function double(): Promise<RegistryDouble> {
  const started = await startDouble()
  stops.push(() => started.stop())
  return started
}

function put(registry: RegistryDouble, repository: string, image: BuiltImage, tag?: string): void {
  for (const child of image.children) put(registry, repository, child)
  for (const bytes of image.blobs.values()) registry.addBlob(repository, bytes)
  registry.addManifest(repository, image.raw, tag, image.mediaType)
}

const app = (seed: number): BuiltImage =>
  buildIndex([
    buildImage([layerOf({ a: noise(900, seed) })], { platform: 'linux/amd64' }),
    buildImage([layerOf({ b: noise(900, seed + 1) })], { platform: 'linux/arm64' }),
  ])

/** Runs an export of the spec; the bundle is whole, and what came from where is told by its JSON. */
async function exported(spec: string, ...args: readonly string[]) {
  const file = join(folder, 'spec.yaml')
  await writeFile(file, spec)
  const outcome = await runShell(['export', join(folder, 'b.tar'), '--spec', file, '--no-prove', ...args])
  expect(outcome.code, outcome.stderr).toBe(0)
  const verified = await runShell(['verify', join(folder, 'b.tar')])
  expect(verified.stdout).toContain('is whole')
  return outcome
}

const warnings = (stderr: string, host: string): number =>
  stderr.split('\n').filter((line) => line.includes(`mirror ${host} did not serve`)).length

const notContent: Record<string, fault.Fault['change']> = {
  'a 404': fault.status(404, '{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}'),
  'a 403': fault.status(403),
  'a 400': fault.status(400),
  'a login page': fault.status(200, '<!doctype html><title>Sign in</title>', { 'content-type': 'text/html' }),
  'other bytes': fault.corrupt,
  'a shorter body': fault.changed(({ body }) => ({ body: body.subarray(0, 5) })),
  'a redirect to nowhere': fault.status(307, '', { location: 'ftp://127.0.0.1/' }),
}

describe.each(Object.entries(notContent))('a mirror that answers with %s', (_, change) => {
  it.each([
    ['for the tag', /manifests\/1$/],
    ['for what the index lists', /GET .*manifests\/sha256/],
    ['for blobs', /GET .*blobs\//],
  ])('%s is followed by the next mirror, and that by the origin', async (_what, on) => {
    const [origin, first, second] = [await double(), await double(), await double()]
    const image = app(1)
    for (const one of [origin, first, second]) put(one, 'team/app', image, '1')
    for (const one of [first, second]) one.addFault({ on, change })
    const outcome = await exported(
      `images: ["${origin.host}/team/app:1"]\n`,
      '--mirror',
      `${origin.host}=${first.host},${second.host}`,
    )
    expect(first.requests.length).toBeGreaterThan(0)
    expect(second.requests.length).toBeGreaterThan(0)
    expect(origin.requests.length).toBeGreaterThan(0)
    expect(warnings(outcome.stderr, first.host), outcome.stderr).toBe(1)
    expect(warnings(outcome.stderr, second.host), outcome.stderr).toBe(1)
  })
})

it('a mirror that mislabels a manifest is no reason to stop', async () => {
  const [origin, mirror] = [await double(), await double()]
  for (const one of [origin, mirror]) put(one, 'team/app', app(1), '1')
  mirror.addFault({
    on: /manifests\/sha256/,
    change: fault.withHeaders({ 'content-type': DOCKER_MANIFEST }),
  })
  await exported(`images: ["${origin.host}/team/app:1"]\n`, '--mirror', `${origin.host}=${mirror.host}`)
})

it('speaks once of a mirror that has none of many images, and names some', async () => {
  const [origin, mirror] = [await double(), await double()]
  const names = Array.from({ length: 8 }, (_, at) => `team/app${at}`)
  for (const [at, name] of names.entries()) put(origin, name, app(10 * at), '1')
  const outcome = await exported(
    `images: [${names.map((name) => `"${origin.host}/${name}:1"`).join(', ')}]\n`,
    '--mirror',
    `${origin.host}=${mirror.host}`,
  )
  expect(warnings(outcome.stderr, mirror.host), outcome.stderr).toBe(1)
  expect(outcome.stderr).toContain(`${origin.host}/team/app0:1`)
  expect(outcome.stderr).toContain('and 5 more')
})

it("the origin's answer counts when none has it", async () => {
  const [origin, mirror] = [await double(), await double()]
  const spec = join(folder, 'spec.yaml')
  await writeFile(spec, `images: ["${origin.host}/team/app:1"]\n`)
  const mirrored = `${origin.host}=${mirror.host}`
  const outcome = await runShell(['export', join(folder, 'b.tar'), '--spec', spec, '--mirror', mirrored])
  expect(outcome.code).toBe(1)
  expect(outcome.stderr).toContain(`${origin.host} answered 404`)
})

it('the moved tag of a mirror is not what the lock wants; the origin is asked', async () => {
  const [origin, mirror] = [await double(), await double()]
  put(origin, 'team/app', app(1), '1')
  const spec = `images: ["${origin.host}/team/app:1"]\n`
  await exported(spec)
  const lock = ['lock', join(folder, 'spec.lock'), '--spec', join(folder, 'spec.yaml')]
  const locked = await runShell(lock)
  expect(locked.code, locked.stderr).toBe(0)
  put(mirror, 'team/app', app(7), '1')
  await exported(spec, '--lock', join(folder, 'spec.lock'), '--mirror', `${origin.host}=${mirror.host}`)
})

describe('of a chart repository and of files', () => {
  const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
  const tgz = layerOf({ 'web/Chart.yaml': JSON.stringify(metadata), 'web/values.yaml': 'a: 1\n' })
  const charts = [{ name: 'web', version: '1.2.3', metadata, tgz }]
  const serving = async (broken?: RegExp, status = 404): Promise<EmbeddedSource> => {
    const started = await startSource({
      images: {},
      charts,
      intercept: ({ url = '' }, response) => {
        if (broken === undefined || !broken.test(url)) return false
        response.writeHead(status, { 'content-type': 'text/html' }).end('<html>Sign in</html>')
        return true
      },
    })
    stops.push(() => started.stop())
    return started
  }

  it.each([
    ['the index', /index\.yaml/, 404],
    ['the index, but a login page', /index\.yaml/, 200],
    ['the chart', /\.tgz/, 404],
    ['the chart, but a login page', /\.tgz/, 200],
    ['anything', /./, 403],
  ])('a mirror that does not have %s is followed by the origin', async (_, broken, status) => {
    const [origin, mirror] = [await serving(), await serving(broken, status)]
    const at = (one: EmbeddedSource): string => `http://${one.host}/charts`
    const outcome = await exported(
      `charts: ["web|1.2.3|${at(origin)}"]\n`,
      '--mirror',
      `${at(origin)}=${at(mirror)}`,
    )
    expect(mirror.requests.length).toBeGreaterThan(0)
    expect(warnings(outcome.stderr, mirror.host), outcome.stderr).toBe(1)
  })

  it.each([
    ['its size', `size: ${tgz.length},`, 404],
    ['its size, behind a login page', `size: ${tgz.length},`, 200],
    ['its digest alone', '', 404],
    ['its digest alone, behind a login page', '', 200],
  ])('a file that is known by %s comes from the origin', async (_, size, status) => {
    const [origin, mirror] = [await serving(), await serving(/\.tgz/, status)]
    const sha256 = new Bun.CryptoHasher('sha256').update(tgz).digest('hex')
    const url = `http://${origin.host}/charts/web-1.2.3.tgz`
    const outcome = await exported(
      `apiVersion: ma-bundle/v1
kind: BundleSpec
name: files
version: 1.0.0
groups: [{ name: all, files: [{ name: web.tgz, url: "${url}", ${size} sha256: ${sha256} }] }]
`,
      '--mirror',
      `http://${origin.host}=http://${mirror.host}`,
    )
    expect(warnings(outcome.stderr, mirror.host), outcome.stderr).toBe(1)
  })
})
