import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { runCli } from '../support/cli.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let images: RegistryDouble
let charts: EmbeddedSource
/** A PATH with helm, one with another helm, and one with none. */
const paths = { three: '', four: '', none: '/usr/bin:/bin' }

const shared = layerOf({ shared: noise(200_000, 1) })
const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(90_000, seed) })], { platform })
const web = buildIndex([image(2), image(3, 'linux/arm64'), image(4, 'linux/s390x')])
const api = image(5)
const extra = image(6)
const signature = buildImage([layerOf({ signature: 'of web' })])

function push(repository: string, tag: string | undefined, built: BuiltImage): void {
  for (const content of built.blobs.values()) images.addBlob(repository, content)
  for (const child of built.children) push(repository, undefined, child)
  images.addManifest(repository, built.raw, tag, built.mediaType)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reproducible-'))
  images = await startDouble()
  push('team/web', '1', web)
  push('team/api', '1', api)
  push('team/extra', '1', extra)
  push('team/api', `sha256-${api.digest.slice(7)}.sig`, signature)
  const metadata = { apiVersion: 'v2', name: 'shop', version: '1.0.0' }
  const tgz = layerOf({
    'shop/Chart.yaml': JSON.stringify(metadata),
    // The keys tell nothing: only a real helm finds what they are.
    'shop/values.yaml': `first: ${images.host}/team/web\nsecond: ${images.host}/team/extra\n`,
    'shop/templates/pod.yaml': `apiVersion: v1
kind: Pod
metadata: { name: shop }
spec:
  containers:
    - { name: first, image: "{{ .Values.first }}:1" }
    - { name: second, image: "{{ .Values.second }}:1" }
`,
  })
  charts = await startSource({ images: {}, charts: [{ name: 'shop', version: '1.0.0', metadata, tgz }] })
  writeFileSync(
    join(folder, 'spec.yaml'),
    `# kept as it is: "quotes", ünïcode and \\ too
apiVersion: ma-bundle/v1
kind: BundleSpec
name: shop
version: 1.0.0
groups:
  - name: base
    images: [${images.host}/team/web:1]
    charts: [{ name: shop, version: 1.0.0, repository: 'http://${charts.host}/charts' }]
  - name: more
    optional: true
    images: [${images.host}/team/api:1]
`,
  )
  for (const [name, major] of [
    ['three', 3],
    ['four', 4],
  ] as const) {
    mkdirSync(join(folder, name))
    symlinkSync(await helmBinary(major), join(folder, name, 'helm'))
    paths[name] = `${join(folder, name)}:${paths.none}`
  }
})
afterAll(async () => {
  await Promise.all([images.stop(), charts.stop()])
  rmSync(folder, { recursive: true })
})

interface Made {
  readonly sha256: string
  readonly lock: string
  readonly stderr: string
  readonly stdout: string
}

let made = 0
/** An export in a folder of its own. */
async function exported(path: keyof typeof paths, ...flags: readonly string[]): Promise<Made> {
  made += 1
  const cwd = join(folder, `machine-${made}`)
  mkdirSync(cwd)
  const { code, stderr, stdout } = await runCli(['export', 'out.tar', ...flags], {
    cwd,
    env: { PATH: paths[path] },
  })
  expect(code, stderr).toBe(0)
  const bytes = readFileSync(join(cwd, 'out.tar'))
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    lock: join(cwd, 'out.tar.lock.json'),
    stderr,
    stdout,
  }
}

const CHOICE = ['--with', 'more', '--platform', 'linux/amd64', '--referrers', '--add-missing']

describe('the same lock makes the same bytes', () => {
  it('with another helm, with none, with any concurrency, and without the spec and the flags', async () => {
    const spec = ['--spec', join(folder, 'spec.yaml')]
    const first = await exported(
      'three',
      ...spec,
      ...CHOICE,
      '--concurrency',
      '8',
      '--allow-missing-platform',
    )
    expect(first.stdout).toContain('Proof: 2 references of 1 chart bound, none still public.')
    const text = readFileSync(first.lock, 'utf8')
    expect(JSON.parse(text)).toMatchObject({
      format: 'ma-bundle-lock/2',
      export: { platforms: ['linux/amd64'], groups: ['more'], referrers: true },
    })
    for (const [path, flags] of [
      ['none', ['--concurrency', '1']],
      ['four', ['--concurrency', '3']],
      ['three', [...spec, ...CHOICE]],
      ['none', [...spec, '--no-prove']],
    ] as const) {
      const again = await exported(path, '--lock', first.lock, ...flags)
      expect(again.stderr).not.toContain('other bytes')
      expect(again.stdout).toContain('Proof: 2 references of 1 chart bound, none still public.')
      expect(again.sha256).toBe(first.sha256)
      expect(readFileSync(again.lock, 'utf8')).toBe(text)
    }
  })

  it('also when helm was missing at first', async () => {
    const first = await exported('none', '--spec', join(folder, 'spec.yaml'))
    const again = await exported('three', '--lock', first.lock)
    expect(again.sha256).toBe(first.sha256)
  })

  it('also when more signatures have come since', async () => {
    const first = await exported('none', '--spec', join(folder, 'spec.yaml'), ...CHOICE.slice(0, -1))
    const tag = `sha256-${api.digest.slice(7)}.sig`
    push('team/api', tag, buildImage([layerOf({ signature: 'another' })]))
    const again = await exported('none', '--lock', first.lock)
    expect(again.sha256).toBe(first.sha256)
    push('team/api', tag, signature)
  })

  it('when ma-bundle lock wrote it with helm', async () => {
    const cwd = join(folder, 'locked')
    mkdirSync(cwd)
    const args = ['lock', 'my.lock.json', '--spec', join(folder, 'spec.yaml'), '--add-missing']
    const { code, stderr } = await runCli(args, { cwd, env: { PATH: paths.three } })
    expect(code, stderr).toBe(0)
    const lock = join(cwd, 'my.lock.json')
    const [one, two] = [await exported('none', '--lock', lock), await exported('four', '--lock', lock)]
    expect(one.sha256).toBe(two.sha256)
    expect(readFileSync(one.lock, 'utf8')).toBe(readFileSync(lock, 'utf8'))
  })
})

describe('a lock', () => {
  it('says what flag makes other bytes, and pins the digests all the same', async () => {
    const first = await exported('none', '--spec', join(folder, 'spec.yaml'), '--with', 'more')
    writeFileSync(
      join(folder, 'changed.yaml'),
      `${readFileSync(join(folder, 'spec.yaml'), 'utf8')}# a remark\n`,
    )
    const other = await exported(
      'none',
      '--lock',
      first.lock,
      '--spec',
      join(folder, 'changed.yaml'),
      '--with',
      'more',
    )
    expect(other.stderr).toContain('Other spec than the lock was made with')
    expect(other.sha256).not.toBe(first.sha256)
  })

  it('of the format before is taken as it was', async () => {
    const { lock } = await exported('none', '--spec', join(folder, 'spec.yaml'))
    const { export: _, ...pins } = JSON.parse(readFileSync(lock, 'utf8')) as Record<string, unknown>
    const old = join(folder, 'old.lock.json')
    writeFileSync(old, JSON.stringify({ ...pins, format: 'ma-bundle-lock/1' }, undefined, 2))
    const again = await exported('none', '--lock', old, '--spec', join(folder, 'spec.yaml'))
    expect(readFileSync(again.lock, 'utf8')).toBe(readFileSync(lock, 'utf8'))
    const pinned = digestOf(new Uint8Array())
    writeFileSync(old, readFileSync(old, 'utf8').replaceAll(web.digest, pinned))
    const args = ['export', 'x.tar', '--lock', old, '--spec', join(folder, 'spec.yaml')]
    const moved = await runCli(args, { cwd: folder, env: { PATH: paths.none } })
    expect(moved.stderr).toContain('the tag has moved')
    expect(moved.code).toBe(5)
  })
})
