import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { startContainerd } from '../support/containerd.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let out: string
let source: EmbeddedSource

const shared = layerOf({ base: noise(60_000, 1) })
const image = (seed: number, platform: string, docker = false): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(9000, seed) })], { platform, docker })
const amd = image(2, 'linux/amd64')
const arm = image(3, 'linux/arm64')
const multi = buildIndex([amd, arm])
const lone = image(4, 'linux/amd64', true)
const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
const tgz = layerOf({ 'web/Chart.yaml': JSON.stringify(metadata) })
const bundle = (): string => join(folder, 'bundle.tar')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'extract-'))
  source = await startSource({
    images: { 'team/multi:1': multi, 'team/lone:2': lone, 'other/lone:2': lone },
    charts: [{ name: 'web', version: '1.2.3', metadata, tgz }],
  })
  const { host } = source
  writeFileSync(
    join(folder, 'spec.yaml'),
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: extracted
version: 1.0.0
groups:
  - name: all
    images: [${host}/team/multi:1, ${host}/team/lone:2, ${host}/other/lone:2]
    charts: [{ name: web, version: 1.2.3, repository: 'http://${host}/charts' }]
    files: [{ name: index.yaml, url: 'http://${host}/charts/index.yaml' }]
`,
  )
  const made = await runShell(['export', bundle(), '--spec', join(folder, 'spec.yaml'), '--no-prove'])
  expect(made).toMatchObject({ code: 0 })
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  out = mkdtempSync(join(folder, 'out-'))
})

const extract = (...args: readonly string[]): Promise<Outcome> =>
  runShell(['extract', bundle(), ...args, '--output', out])
const file = (name: string): string => join(out, `${source.host.replace(':', '_')}_${name}.tar`)
const skopeo = async (...args: readonly string[]): Promise<Buffer> =>
  (await runProgram('skopeo', [...args])).stdout

describe('extract', () => {
  it('takes everything when nothing is named', async () => {
    expect(await extract()).toMatchObject({ code: 0 })
    const images = ['other_lone_2', 'team_lone_2', 'team_multi_1'].map((name) =>
      file(name).slice(out.length + 1),
    )
    expect(readdirSync(out).toSorted()).toEqual([...images, 'index.yaml', 'web-1.2.3.tgz'].toSorted())
    expect(digestOf(readFileSync(join(out, 'web-1.2.3.tgz')))).toBe(digestOf(tgz))
    expect(readFileSync(join(out, 'index.yaml'), 'utf8')).toContain('web-1.2.3.tgz')
  })

  it('writes an image for all its platforms, which skopeo reads byte for byte', async () => {
    expect(await extract('multi')).toMatchObject({ code: 0 })
    const archive = file('team_multi_1')
    expect(digestOf(new Uint8Array(await skopeo('inspect', '--raw', `oci-archive:${archive}`)))).toBe(
      multi.digest,
    )
    await skopeo('copy', '--all', `oci-archive:${archive}`, `dir:${join(out, 'copy')}`)
    const copied = readdirSync(join(out, 'copy'))
    for (const built of [amd, arm])
      for (const [digest, content] of built.blobs) {
        expect(copied).toContain(digest.slice(7))
        expect(digestOf(readFileSync(join(out, 'copy', digest.slice(7))))).toBe(digestOf(content))
      }
    execFileSync('tar', ['tf', archive])
  })

  it('writes one platform of it, and Docker’s own kind of image', async () => {
    expect(await extract('multi', '--platform', 'linux/arm64')).toMatchObject({ code: 0 })
    const raw = await skopeo('inspect', '--raw', `oci-archive:${file('team_multi_1')}`)
    expect(digestOf(new Uint8Array(raw))).toBe(arm.digest)
    expect(await extract('team/lone')).toMatchObject({ code: 0 })
    const from = `oci-archive:${file('team_lone_2')}`
    await skopeo('copy', '--all', '--preserve-digests', from, `dir:${join(out, 'lone')}`)
    const blobs = readdirSync(join(out, 'lone'))
    expect(blobs).toEqual(expect.arrayContaining([...lone.blobs.keys()].map((digest) => digest.slice(7))))
  })

  it('writes what docker load reads, under the image’s name', async () => {
    const flags = ['--format', 'docker-archive', '--platform', 'linux/amd64']
    expect(await extract('multi', ...flags)).toMatchObject({ code: 0 })
    const archive = file('team_multi_1')
    const name = `${source.host}/team/multi:1`
    const [manifest] = JSON.parse(
      execFileSync('tar', ['xOf', archive, 'manifest.json']).toString(),
    ) as object[]
    expect(manifest).toMatchObject({ RepoTags: [name] })
    const config = await skopeo('inspect', '--config', '--raw', `docker-archive:${archive}:${name}`)
    expect(digestOf(new Uint8Array(config))).toBe([...amd.blobs.keys()][0])
    // skopeo unpacks each layer and compares it with the config's diff_ids on its way.
    await skopeo('copy', `docker-archive:${archive}`, `oci:${join(out, 'oci')}:x`)
    expect(await extract('team/lone', '--format', 'docker-archive')).toMatchObject({ code: 0 })
    await skopeo('copy', `docker-archive:${file('team_lone_2')}`, `oci:${join(out, 'oci')}:y`)
  })

  it('writes what containerd imports and unpacks, with all platforms or one', async () => {
    const containerd = await startContainerd()
    try {
      const name = (path: string): string => `${source.host}/${path}`
      await extract('multi', 'team/lone')
      expect(await containerd.import(file('team_multi_1'), '--all-platforms')).toEqual({
        [name('team/multi:1')]: multi.digest,
      })
      // A lone manifest of Docker's type is listed through an index around it.
      expect(Object.keys(await containerd.import(file('team_lone_2')))).toContain(name('team/lone:2'))
      await extract('multi', '--format', 'docker-archive', '--platform', 'linux/amd64')
      const held = await containerd.import(file('team_multi_1'), '--platform', 'linux/amd64')
      // Containerd makes a manifest of its own out of what docker saves: nothing of that is in the archive.
      expect(held[name('team/multi:1')]).toMatch(/^sha256:/)
      expect(held[name('team/multi:1')]).not.toBe(multi.digest)
    } finally {
      await containerd.stop()
    }
  }, 60_000)

  it('takes a chart or a file by its name', async () => {
    expect(await extract('web', 'index.yaml')).toMatchObject({ code: 0 })
    expect(readdirSync(out).toSorted()).toEqual(['index.yaml', 'web-1.2.3.tgz'])
  })

  it('says what it cannot do, and how it can', async () => {
    const said = async (...args: readonly string[]) => {
      const { code, stderr } = await extract(...args)
      return [code, stderr.replaceAll('\n', ' ')]
    }
    expect(await said('mutli')).toEqual([2, expect.stringContaining('has no "mutli"')])
    expect(await said('lone')).toEqual([2, expect.stringContaining('write the whole name')])
    expect(await said('multi', '--format', 'docker-archive')).toEqual([
      2,
      expect.stringMatching(/holds one platform.*linux\/amd64, linux\/arm64.*--platform/),
    ])
    expect(await said('multi', '--platform', 'linux/s390x')).toEqual([
      2,
      expect.stringContaining('it has linux/amd64, linux/arm64'),
    ])
    // Nor is anything written of what could be, before that which cannot.
    expect(await said('team/lone', 'web', 'multi', '--format', 'docker-archive')).toEqual([
      2,
      expect.stringContaining('holds one platform'),
    ])
    expect(readdirSync(out)).toEqual([])
  })

  it('leaves nothing behind that is wrong', async () => {
    const bytes = readFileSync(bundle())
    const place = bytes.indexOf(Buffer.from(shared))
    const damaged = join(out, 'damaged.tar')
    bytes[place + 5000] = (bytes[place + 5000] ?? 0) ^ 1
    writeFileSync(damaged, bytes)
    const { code, stderr } = await runShell(['extract', damaged, 'multi', '--output', out])
    expect(code).toBe(5)
    expect(stderr).toContain(digestOf(shared))
    expect(existsSync(file('team_multi_1'))).toBe(false)
  })
})
