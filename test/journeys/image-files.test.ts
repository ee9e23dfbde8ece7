import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let registry: DockerRegistry
const at = (name: string): string => join(folder, name)
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const image = (seed: number, platform: string): BuiltImage =>
  buildImage([layerOf({ base: noise(3000, 1) }), layerOf({ own: noise(900, seed) })], { platform })
const amd = image(2, 'linux/amd64')
const multi = buildIndex([amd, image(3, 'linux/arm64')])

const skopeo = (...args: readonly string[]) => runProgram('skopeo', [...args])

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-image-files-'))
  source = await startSource({ images: { 'team/multi:1': multi, 'team/lone:2': amd } })
  registry = await startDockerRegistry()
  const from = (name: string): string => `docker://${source.host}/${name}`
  const open = '--src-tls-verify=false'
  await skopeo('copy', open, from('team/lone:2'), `docker-archive:${at('docker.tar')}:quay.io/ci/lone:2`)
  await skopeo('copy', '--all', open, from('team/multi:1'), `oci-archive:${at('oci.tar')}:quay.io/ci/multi:1`)
  await skopeo('copy', '--all', open, from('team/multi:1'), `oci:${at('layout')}:1`)
  saveTwo()
})

afterAll(async () => {
  await source.stop()
  await registry.stop()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(() => rmSync(at('b.tar'), { force: true }))

/** Two images in one archive as older dockers saved them: a layer both have is linked to by the second. */
function saveTwo(): void {
  const layers = [layerOf({ base: noise(3000, 1) }), layerOf({ own: noise(900, 9) })].map((tgz) =>
    gunzipSync(tgz),
  )
  const ids = layers.map((layer) => `sha256:${sha(layer)}`)
  const configs = [ids, ids.slice(0, 1)].map((diffIds) =>
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: diffIds },
    }),
  )
  mkdirSync(at('two/a'), { recursive: true })
  mkdirSync(at('two/b'))
  mkdirSync(at('two/c'))
  for (const [path, content] of [
    ['a/layer.tar', layers[0] ?? ''],
    ['b/layer.tar', layers[1] ?? ''],
    ...configs.map((config) => [`${sha(Buffer.from(config))}.json`, config] as const),
    [
      'manifest.json',
      JSON.stringify(
        configs.map((config, which) => ({
          Config: `${sha(Buffer.from(config))}.json`,
          RepoTags: [which === 0 ? 'ci/first:1' : 'registry.example/ci/second:2'],
          Layers: which === 0 ? ['a/layer.tar', 'b/layer.tar'] : ['c/layer.tar'],
        })),
      ),
    ],
  ] as const)
    writeFileSync(at(`two/${path}`), content)
  symlinkSync('../a/layer.tar', at('two/c/layer.tar'))
  execFileSync('tar', ['cf', at('two.tar'), '-C', at('two'), '.'])
}

const run = (...args: string[]): Promise<Outcome> => runShell([...args, '--json'])
const rootsOf = ({ json }: Outcome): readonly Record<string, unknown>[] => {
  const result = json.find(({ type }) => type === 'result')
  return ((result?.['result'] ?? { roots: [] }) as { roots: Record<string, unknown>[] }).roots
}
const inspected = async (): Promise<readonly Record<string, unknown>[]> =>
  rootsOf(await run('inspect', at('b.tar')))

describe('images in files', () => {
  it('go into a bundle from an OCI archive and a folder, byte for byte', async () => {
    const made = await run(
      'export',
      at('b.tar'),
      `oci-archive:${at('oci.tar')}`,
      `oci:${at('layout')}:1=quay.io/ci/folder:1`,
      '--no-prove',
    )
    expect(made).toMatchObject({ code: 0 })
    expect((await inspected()).map(({ name, digest }) => [name, digest])).toEqual(
      [
        ['quay.io/ci/folder:1', multi.digest],
        ['quay.io/ci/multi:1', multi.digest],
      ].toSorted((a, b) => (String(a[0]) < String(b[0]) ? 1 : -1)),
    )
    expect(await run('verify', at('b.tar'))).toMatchObject({ code: 0 })
    expect(
      await run('import', at('b.tar'), '--registry', registry.host, '--values', at('v.yaml')),
    ).toMatchObject({ code: 0 })
    const raw = await skopeo(
      'inspect',
      '--raw',
      '--tls-verify=false',
      `docker://${registry.host}/mirrored/quay.io/ci/multi:1`,
    )
    expect(`sha256:${sha(raw.stdout)}`).toBe(multi.digest)
    const { stdout } = await run('inspect', at('b.tar'))
    expect(stdout).not.toContain(folder)
  })

  it('are cut to platforms as those of a registry are', async () => {
    const made = await run(
      'export',
      at('b.tar'),
      `oci-archive:${at('oci.tar')}`,
      '--platform',
      'linux/amd64',
      '--no-prove',
    )
    expect(made).toMatchObject({ code: 0 })
    expect(rootsOf(made)).toMatchObject([{ name: 'quay.io/ci/multi:1' }])
    expect(await inspected()).toMatchObject([{ platforms: ['linux/amd64'] }])
  })

  it('go into a bundle from what docker save writes, and run from the registry', async () => {
    const made = await run('export', at('b.tar'), `docker-archive:${at('docker.tar')}`, '--no-prove')
    expect(made).toMatchObject({ code: 0 })
    expect(await inspected()).toMatchObject([{ name: 'quay.io/ci/lone:2' }])
    expect(
      await run('import', at('b.tar'), '--registry', registry.host, '--values', at('v.yaml')),
    ).toMatchObject({ code: 0 })
    const there = `docker://${registry.host}/mirrored/quay.io/ci/lone:2`
    const config = await skopeo('inspect', '--config', '--raw', '--tls-verify=false', there)
    const before = await skopeo(
      'inspect',
      '--config',
      '--raw',
      `docker-archive:${at('docker.tar')}:quay.io/ci/lone:2`,
    )
    expect(config.stdout.toString()).toBe(before.stdout.toString())
    await skopeo('copy', '--src-tls-verify=false', there, `oci-archive:${at('pulled.tar')}:x`)
    // The same archive makes the same bundle.
    const digest = sha(await Bun.file(at('b.tar')).bytes())
    rmSync(at('b.tar'))
    await run('export', at('b.tar'), `docker-archive:${at('docker.tar')}`, '--no-prove')
    expect(sha(await Bun.file(at('b.tar')).bytes())).toBe(digest)
  })

  it('are all taken of an archive with several, links and all, or the one that is named', async () => {
    const all = await run('export', at('b.tar'), `docker-archive:${at('two.tar')}`, '--no-prove')
    expect(all).toMatchObject({ code: 0 })
    expect(rootsOf(all).map(({ name }) => name)).toEqual([
      'docker.io/ci/first:1',
      'registry.example/ci/second:2',
    ])
    rmSync(at('b.tar'))
    const one = await run(
      'export',
      at('b.tar'),
      `docker-archive:${at('two.tar')}:registry.example/ci/second:2=quay.io/x/y:3`,
      '--no-prove',
    )
    expect(one).toMatchObject({ code: 0 })
    expect(rootsOf(one).map(({ name }) => name)).toEqual(['quay.io/x/y:3'])
    const none = await run('export', at('b.tar'), `docker-archive:${at('two.tar')}:no/such:1`)
    expect(none).toMatchObject({ code: 2 })
    expect(none.stderr).toContain('holds no image "no/such:1"')
    expect(none.stderr).toContain('ci/first:1, registry.example/ci/second:2')
  })

  it('stand in a spec beside the file, under the name that charts know', async () => {
    writeFileSync(
      at('spec.yaml'),
      `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: s\nversion: '1'\ngroups:\n  - name: a\n    images:\n      - { reference: "docker-archive:./docker.tar", as: quay.io/team/app:7 }\n`,
    )
    expect(await run('export', at('b.tar'), '--spec', at('spec.yaml'), '--no-prove')).toMatchObject({
      code: 0,
    })
    expect(await inspected()).toMatchObject([{ name: 'quay.io/team/app:7' }])
    rmSync(at('b.tar'))
    const replayed = await run('export', at('b.tar'), '--lock', at('b.tar.lock.json'))
    expect(replayed.code).not.toBe(0)
    expect(replayed.stderr).toContain('beside a spec that is not here')
    const remedied = await run(
      'export',
      at('b.tar'),
      '--lock',
      at('b.tar.lock.json'),
      '--spec',
      at('spec.yaml'),
    )
    expect(remedied).toMatchObject({ code: 0 })
  })

  it('are recognised where a bundle is expected, with the command that takes them', async () => {
    for (const file of ['docker.tar', 'two.tar']) {
      for (const args of [['inspect'], ['verify'], ['import', '--registry', registry.host], ['extract']]) {
        const [command = '', ...flags] = args
        const refused = await run(command, at(file), ...flags)
        expect(refused.code).toBe(5)
        expect(refused.stderr).toContain('not a bundle but what docker save writes')
        expect(refused.stderr).toContain('ma-bundle export <bundle> docker-archive:<this file>')
      }
    }
    const wrong = await run('export', at('b.tar'), `docker-archive:${at('oci.tar')}`)
    expect(wrong.stderr).toContain('take it with oci-archive:')
    const path = await run('export', at('b.tar'), at('docker.tar'))
    expect(path.stderr).toContain(`docker-archive:${at('docker.tar')}`)
  })
})
