import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let target: DockerRegistry

const shared = layerOf({ base: noise(200_000, 1) })
const image = (seed: number, platform: string): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(90_000, seed) })], { platform })
const moved = image(5, 'linux/amd64')
const images: Record<string, BuiltImage> = {
  'team/one:1': buildIndex([image(2, 'linux/amd64'), image(3, 'linux/arm64')]),
  'team/two:2': image(4, 'linux/amd64'),
  'team/three:3': image(6, 'linux/amd64'),
}

const at = (name: string): string => join(folder, name)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'plan-'))
  source = await startSource({ images })
  target = await startDockerRegistry()
})
afterEach(async () => {
  await Promise.all([source.stop(), target.stop()])
  rmSync(folder, { recursive: true })
})

const spec = (...names: readonly string[]): string => {
  writeFileSync(at('spec.yaml'), `images: [${names.map((name) => `${source.host}/${name}`).join(', ')}]\n`)
  return at('spec.yaml')
}
const plan = (...flags: readonly string[]): Promise<Outcome> =>
  runShell(['plan', at('new.tar'), '--spec', at('spec.yaml'), ...flags])
const resultOf = ({ json }: Outcome) =>
  json.find(({ type }) => type === 'result')?.['result'] as Record<string, unknown>
const blobsFetched = (): number => source.requests.filter((line) => /^GET .*\/blobs\//.test(line)).length

describe('plan', () => {
  it('tells contents, bytes, disk and time, fetches no layer and writes nothing', async () => {
    spec('team/one:1', 'team/two:2')
    const { code, stdout } = await plan('--rate', '100KiB')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^takes +2 images, 0 charts$/m)
    expect(stdout).toMatch(
      /^platforms +linux\/amd64 \(1 image\), linux\/arm64 \(1 image\), 1 image for one platform only$/m,
    )
    expect(stdout).toMatch(/^disk +needs \d+ KiB and no more; .* are free there$/m)
    expect(stdout).toMatch(/^to fetch +\d+ KiB, \d+ s at 100 KiB\/s$/m)
    expect(stdout).toContain('Nothing was written.')
    expect(readdirSync(folder)).toEqual(['spec.yaml'])
    // The config of the image without an index says its platform.
    expect(blobsFetched()).toBe(1)
    const result = resultOf(await plan('--json'))
    const [separate, size] = [Number(result['separate']), Number(result['size'])]
    // Three children share one layer: stored once.
    expect(separate - size).toBeGreaterThan(180_000)
    expect(result).toMatchObject({
      platforms: { 'linux/amd64': 1, 'linux/arm64': 1, single: 1 },
      absent: { count: 0, bytes: 0 },
    })
  })

  it('says the bytes that the export then has', async () => {
    spec('team/one:1', 'team/two:2')
    const foretold = resultOf(await plan('--json'))
    const done = resultOf(await runShell(['export', at('new.tar'), '--spec', at('spec.yaml'), '--json']))
    expect([done['size'], done['fetched']]).toEqual([foretold['size'], foretold['toFetch']])
  })

  it('is what export --dry-run says', async () => {
    spec('team/one:1')
    const dry = resultOf(
      await runShell(['export', at('new.tar'), '--spec', at('spec.yaml'), '--dry-run', '--json']),
    )
    expect({ ...resultOf(await plan('--json')), free: 0 }).toEqual({ ...dry, free: 0 })
  })

  it('says what changed since an older bundle, and what that spares', async () => {
    spec('team/one:1', 'team/two:2')
    await runShell(['export', at('old.tar'), '--spec', at('spec.yaml')])
    await source.stop()
    source = await startSource({ images: { ...images, 'team/two:2': moved } })
    // The same names at another port would be other images: compare by a mirror of the old address.
    const lock = at('old.tar.lock.json')
    const text = await Bun.file(lock).text()
    writeFileSync(lock, text.replaceAll(/127\.0\.0\.1:\d+/g, source.host))
    spec('team/two:2', 'team/three:3')
    const against = await plan('--against', lock)
    expect(against.stdout).toContain(`+ image ${source.host}/team/three:3  ${images['team/three:3']?.digest}`)
    expect(against.stdout).toContain(`- image ${source.host}/team/one:1  `)
    expect(against.stdout).toContain(`${images['team/two:2']?.digest} → ${moved.digest}`)
    expect(against.stdout).toMatch(
      /^changes +1 added, 1 removed, 1 changed, 0 the same as in old\.tar\.lock\.json$/m,
    )
    const since = await plan('--since', lock)
    expect(since.stdout).toMatch(/^changes +1 added, 1 removed, 1 changed/m)
    const whole = resultOf(await plan('--json'))
    const reusing = resultOf(await plan('--reuse', at('old.tar'), '--json'))
    expect(Number(whole['toFetch']) - Number(reusing['toFetch'])).toBe(shared.length)
  })

  it('says what a registry has already, and asks nothing else of it', async () => {
    spec('team/one:1', 'team/two:2')
    await runShell(['export', at('old.tar'), '--spec', at('spec.yaml')])
    await runShell(['import', at('old.tar'), '--registry', target.host, '--values', at('values.yaml')])
    spec('team/one:1', 'team/two:2', 'team/three:3')
    const { code, stdout } = await plan('--registry', target.host)
    expect(code).toBe(0)
    expect(stdout).toMatch(/team\/one:1 .* yes$/m)
    expect(stdout).toMatch(/team\/three:3 .* no$/m)
    expect(stdout).toMatch(
      new RegExp(`^registry +${target.host} has 2 of the 3 images and charts; .* in 3 blobs to upload$`, 'm'),
    )
    const result = resultOf(await plan('--registry', target.host, '--json'))
    const three = images['team/three:3']
    const bytes = [...(three?.blobs.values() ?? [])].reduce((sum, blob) => sum + blob.length, 0)
    expect(result['destination']).toMatchObject({ registry: target.host, upload: { count: 3, bytes } })
    expect(existsSync(at('new.tar'))).toBe(false)
    spec('team/one:1', 'team/two:2')
    const all = await plan('--registry', target.host, '--reuse', at('old.tar'))
    expect(all.stdout).toMatch(/ has 2 of the 2 images and charts; nothing to upload$/m)
    expect(all.stdout).toMatch(/^to fetch +nothing$/m)
  })

  it('says which tags would move', async () => {
    spec('team/two:2')
    await runShell(['export', at('old.tar'), '--spec', at('spec.yaml')])
    await runShell(['import', at('old.tar'), '--registry', target.host, '--values', at('values.yaml')])
    const { host } = source
    await source.stop()
    source = await startSource({ images: { 'team/two:2': moved } })
    spec('team/two:2')
    const place = host.replace(':', '-')
    const layout = ['--prefix', `mirrored/${place}`]
    // The same repository, whatever port the source has now.
    await runShell([
      'import',
      at('old.tar'),
      '--registry',
      target.host,
      '--values',
      at('values.yaml'),
      ...layout,
    ])
    writeFileSync(at('moved.yaml'), `images: [${host}/team/two:2]\n`)
    const { stdout } = await runShell([
      'plan',
      '--spec',
      at('moved.yaml'),
      '--mirror',
      `${host}=${source.host}`,
      '--registry',
      target.host,
    ])
    expect(stdout).toMatch(/has 0 of the 1 images and charts \(1 tag would move\); .* in 2 blobs to upload/)
  })

  it('fails before it asks the sources when the registry or an older file is wrong', async () => {
    spec('team/one:1')
    const refused = await plan('--registry', '127.0.0.1:1')
    expect(refused.code).toBe(4)
    expect(refused.stderr).toContain('did not say whether it has 1 of 1')
    const asked = source.requests.length
    expect((await plan('--against', at('none.tar'))).code).toBe(2)
    writeFileSync(at('odd.json'), '{}')
    expect((await plan('--against', at('odd.json'))).code).not.toBe(0)
    expect(source.requests).toHaveLength(asked)
  })

  it('means the bundle that is there, with --registry and no list, and asks no source', async () => {
    spec('team/one:1', 'team/two:2')
    await runShell(['export', at('there.tar'), '--spec', at('spec.yaml')])
    const asked = source.requests.length
    const line = ['plan', at('there.tar'), '--registry', target.host]
    const before = await runShell(line)
    expect([before.code, before.stderr.includes('error')]).toEqual([0, false])
    expect(before.stdout).toContain('2 of 2 would be pushed')
    expect(before.stdout).toContain('Nothing was changed.')
    expect(resultOf(await runShell([...line, '--json']))).toMatchObject({
      dryRun: true,
      roots: [{ state: 'missing' }, { state: 'missing' }],
    })
    const values = ['--values', at('values.yaml')]
    await runShell(['import', at('there.tar'), '--registry', target.host, ...values])
    expect((await runShell([...line, '--quiet'])).stdout).toBe(
      '0 of 2 would be pushed, 0 B at the most. Nothing was changed.\n',
    )
    expect(source.requests).toHaveLength(asked)
    // A list says that it is to be made anew.
    expect((await runShell([...line, '--spec', at('spec.yaml')])).stdout).toMatch(/^takes +2 images/m)
  })
})
