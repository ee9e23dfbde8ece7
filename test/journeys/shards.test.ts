import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openFile } from '../../src/lib/bytes/file.ts'
import { openBundle } from '../../src/bundle/format/open.ts'
import { planShards } from '../../src/bundle/format/destinations/shards.ts'
import { startCli } from '../support/cli.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let ecr: Ecr

const shared = layerOf({ base: noise(30_000, 1) })
const image = (seed: number, size: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(size, seed) })], { platform })
/** Eleven tags of nine repositories of different sizes. */
const images: Readonly<Record<string, BuiltImage>> = {
  'a/one:1': image(2, 400_000),
  'a/one:2': image(3, 5_000),
  'a/two:1': buildIndex([image(4, 90_000), image(5, 90_000, 'linux/arm64')]),
  'a/two:2': image(6, 1_000),
  ...Object.fromEntries(
    Array.from({ length: 7 }, (_, nr) => [`b/r${nr}:1`, image(10 + nr, 20_000 * (nr + 1))]),
  ),
}
const LAYOUT = { registry: 'r.example', path: '', prefix: 'mirrored', chartPrefix: 'charts' }

const at = (name: string): string => join(folder, name)
const flags = (): readonly string[] => [
  '--registry',
  ecr.registry,
  '--endpoint-url',
  ecr.endpoint,
  '--region',
  ecr.region,
]
const run = (...more: readonly string[]): Promise<Outcome> =>
  runShell(['import', at('bundle.tar'), ...flags(), '--values', at('values.yaml'), ...more], {
    env: { ...ecr.environment, XDG_STATE_HOME: folder },
  })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shards-'))
  source = await startSource({ images })
  writeFileSync(
    at('spec.yaml'),
    `images:\n${Object.keys(images)
      .map((name) => `  - ${source.host}/${name}\n`)
      .join('')}`,
  )
  const made = await runShell([
    'export',
    at('bundle.tar'),
    '--spec',
    at('spec.yaml'),
    '--allow-missing-platform',
    '--quiet',
  ])
  expect(made).toMatchObject({ code: 0 })
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  rmSync(at('values.yaml'), { force: true })
  ecr = await startEcr({ tls: false, quotas: 'none' })
})
afterEach(() => ecr.stop())

/** How many repositories, images and layers were written to since the log had `from` entries. */
const written = (from: number): readonly string[] =>
  ecr.log.entries
    .slice(from)
    .flatMap(({ actions, repository }) => (actions.includes('PutImage') ? [repository ?? ''] : []))

describe('shards of a bundle', () => {
  it('are the same on every machine, share out every repository once, and are balanced by bytes', async () => {
    const file = await openFile(at('bundle.tar'), 'bundle.tar')
    const bundle = await openBundle(file)
    const whole = await planShards(bundle, LAYOUT, 1)
    const three = await planShards(bundle, LAYOUT, 3)
    expect(await planShards(bundle, LAYOUT, 3)).toEqual(three)
    expect(three.flatMap(({ repositories }) => repositories).toSorted()).toEqual(whole[0]?.repositories)
    expect(three.reduce((sum, { roots }) => sum + roots, 0)).toBe(11)
    const bytes = three.map((shard) => shard.bytes)
    expect(bytes.reduce((sum, one) => sum + one, 0)).toBe(whole[0]?.bytes)
    const many = await planShards(bundle, LAYOUT, 20)
    expect(many.filter(({ repositories }) => repositories.length === 0)).toHaveLength(11)
    await file.close()
  })

  it('import everything together, in any order, and a plain import proves it with one request each', async () => {
    for (const nr of [3, 1, 2]) {
      const { code, stdout } = await run('--shard', `${nr}/3`)
      expect(code).toBe(0)
      expect(stdout).toContain(`This was shard ${nr} of 3`)
      expect(stdout).toContain('without --shard')
      expect(existsSync(at('values.yaml'))).toBe(false)
    }
    expect(Object.keys(ecr.tags())).toHaveLength(11)
    const before = ecr.log.entries.length
    const last = await run()
    expect(last).toMatchObject({ code: 0 })
    expect(last.stdout).toContain('0 pushed, 11 unchanged')
    expect(written(before)).toEqual([])
    expect(existsSync(at('values.yaml'))).toBe(true)
  })

  it('may be killed and repeated, and two of one number at a time do no harm', async () => {
    const args = ['import', at('bundle.tar'), ...flags(), '--values', at('values.yaml'), '--shard', '1/2']
    const child = startCli(args, { cwd: folder, env: ecr.environment })
    while (ecr.log.entries.length < 12 && child.exitCode === null) await Bun.sleep(1)
    child.kill('SIGKILL')
    await child.exited
    const both = await Promise.all([run('--shard', '1/2'), run('--shard', '1/2'), run('--shard', '2/2')])
    expect(both.map(({ code }) => code)).toEqual([0, 0, 0])
    expect((await run()).stdout).toContain('0 pushed, 11 unchanged')
  })

  it('that have nothing to do end well', async () => {
    const { code, json } = await run('--shard', '20/20', '--json')
    expect(code).toBe(0)
    expect(json.find(({ type }) => type === 'result')?.['result']).toMatchObject({
      roots: [],
      shard: { index: 20, count: 20, items: 11 },
    })
  })

  it('take their number from an Indexed Job', async () => {
    const outcome = await runShell(['import', at('bundle.tar'), ...flags(), '--shard', 'auto'], {
      env: { ...ecr.environment, JOB_COMPLETION_INDEX: '1', JOB_COMPLETIONS: '2' },
    })
    expect(outcome.stdout).toContain('This was shard 2 of 2')
    expect(await run('--shard', '3/2')).toMatchObject({ code: 2 })
  })
})
