import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { startEcr } from '../support/ecr/server.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource } from '../support/source.ts'

let folder: string
let source: DockerRegistry
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'since-'))
  source = await startDockerRegistry()
})
afterEach(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})

const at = (name: string): string => join(folder, name)
const base = layerOf({ base: noise(300_000, 1) })
const own = (seed: number): Uint8Array => layerOf({ own: noise(50_000, seed) })
const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([base, own(seed)], { platform })
const push = (name: string, built: BuiltImage): Promise<void> => {
  const [repository = '', tag] = name.split(':')
  return pushImage(`http://${source.host}`, repository, tag, built)
}

/** Exports what the source has by these names now. */
function exportAs(file: string, names: readonly string[], ...flags: readonly string[]): Promise<Outcome> {
  writeFileSync(at('spec.yaml'), `images:\n${names.map((name) => `  - ${source.host}/${name}\n`).join('')}`)
  return runShell(['export', at(file), '--spec', at('spec.yaml'), ...flags])
}
const resultOf = ({ json }: Outcome) =>
  json.find(({ type }) => type === 'result')?.['result'] as Record<string, unknown>

const sizeOf = ({ blobs, raw }: BuiltImage): number =>
  [...blobs.values()].reduce((sum, blob) => sum + blob.length, raw.length)

describe('diff', () => {
  const one = image(2)
  const moved = image(3)
  const two = buildIndex([image(4), image(5, 'linux/arm64')])
  const twoMoved = buildIndex([image(4), image(6, 'linux/arm64')])
  const gone = image(7)
  const came = buildImage([own(8)])

  beforeEach(async () => {
    await Promise.all([push('a/one:1', one), push('a/two:1', two), push('a/gone:1', gone)])
    await exportAs('old.tar', ['a/one:1', 'a/two:1', 'a/gone:1'])
    await push('a/one:1', moved)
    await push('a/two:1', twoMoved)
    await push('a/came:1', came)
    await exportAs('new.tar', ['a/one:1', 'a/two:1', 'a/came:1'])
  })

  it('names what came, went and changed, with old and new digests', async () => {
    const { code, stdout, stderr } = await runShell(['diff', at('old.tar'), at('new.tar')])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`+ image ${source.host}/a/came:1  ${came.digest}`)
    expect(stdout).toContain(`- image ${source.host}/a/gone:1  ${gone.digest}`)
    expect(stdout).toContain(`~ image ${source.host}/a/one:1  ${one.digest} → ${moved.digest}`)
    expect(stdout).toContain(`${two.digest} → ${twoMoved.digest}  (linux/arm64)`)
    expect(stdout).toContain('1 added, 1 removed, 2 changed, 0 the same.')
  })

  it('counts the bytes that are new by digest', async () => {
    const result = resultOf(await runShell(['diff', at('old.tar'), at('new.tar'), '--json']))
    const [, arm] = twoMoved.children
    const fresh = [moved, arm, came].reduce(
      (sum, built) => sum + (built === undefined ? 0 : sizeOf(built)),
      0,
    )
    expect(result).toMatchObject({
      same: 0,
      // Two images have the base layer from the older bundle; the index of `two` is new as well.
      new: { bytes: fresh - 2 * base.length + twoMoved.raw.length, count: 3 * 3 + 1 },
      shared: { bytes: base.length + sizeOf(image(4)) - base.length, count: 4 },
    })
    const same = resultOf(await runShell(['diff', at('new.tar'), at('new.tar'), '--json']))
    expect(same).toMatchObject({ added: [], removed: [], changed: [], same: 3, new: { count: 0, bytes: 0 } })
  })

  it('takes a lock for a bundle', async () => {
    const { stdout } = await runShell(['diff', at('old.tar.lock.json'), at('new.tar')])
    expect(stdout).toContain('1 added, 1 removed, 2 changed, 0 the same.')
    // A lock knows no blobs, but what is below a manifest it knows: one platform of `two` is the same.
    expect(stdout).toContain('in 4 blobs are in both')
    const locks = await runShell(['diff', at('old.tar.lock.json'), at('new.tar.lock.json'), '--json'])
    expect(resultOf(locks)).toMatchObject({ same: 0, added: [{ name: `${source.host}/a/came:1` }] })
    expect(resultOf(locks)).not.toHaveProperty('new')
  })

  it('takes a layout of another tool', async () => {
    execFileSync('skopeo', [
      'copy',
      '--src-tls-verify=false',
      `docker://${source.host}/a/one:1`,
      `oci-archive:${at('foreign.tar')}:${source.host}/a/one:1`,
    ])
    const outcome = await runShell(['diff', at('foreign.tar'), at('new.tar'), '--json'])
    expect(resultOf(outcome)).toMatchObject({ same: 1, removed: [], changed: [] })
  })

  it('says what a file is that it cannot compare', async () => {
    writeFileSync(at('odd'), 'hello')
    const { code, stderr } = await runShell(['diff', at('odd'), at('new.tar')])
    expect(code).toBe(5)
    expect(stderr).toContain('not a bundle')
    expect((await runShell(['diff', at('none'), at('new.tar')])).code).toBe(2)
    expect(readFileSync(at('odd'), 'utf8')).toBe('hello')
  })
})

describe('export --since', () => {
  const one = image(2)
  const moved = image(3)
  const came = image(8)
  let target: DockerRegistry

  beforeEach(async () => {
    target = await startDockerRegistry()
    await push('a/one:1', one)
    await exportAs('old.tar', ['a/one:1'])
    await push('a/one:1', moved)
    await push('a/came:1', came)
  })
  afterEach(() => target.stop())

  const names = ['a/one:1', 'a/came:1']
  const importInto = (file: string, ...flags: readonly string[]): Promise<Outcome> =>
    runShell(['import', at(file), '--registry', target.host, '--values', at('values.yaml'), ...flags])
  const absentIn = (file: string): unknown =>
    (JSON.parse(execFileSync('tar', ['xOf', at(file), 'bundle.json']).toString()) as Record<string, unknown>)[
      'absent'
    ]
  const baseLine = [digestOf(base), base.length]

  it('ships what is new, and import finds the rest: by bundle, inventory and a typed inventory', async () => {
    await importInto('old.tar')
    const inventory = (...flags: readonly string[]): Promise<Outcome> =>
      runShell(['inventory', '--registry', target.host, '--bundle', at('old.tar'), ...flags])
    const whole = await inventory()
    expect(whole.code).toBe(0)
    expect(whole.stdout.split('\n')).toEqual([
      'ma-bundle-inventory/1 3',
      ...[...one.blobs.keys()].map((digest) => digest.slice(7)).toSorted(),
      expect.stringMatching(/^check [0-9a-f]{8}$/),
      '',
    ])
    writeFileSync(at('whole.txt'), whole.stdout)
    const short = await inventory('--short')
    writeFileSync(
      at('typed.txt'),
      `\uFEFF${short.stdout
        .toUpperCase()
        .replaceAll(/^([0-9A-F]{4})([0-9A-F]{4})/gm, '$1 $2  ')
        .replaceAll('\n', '\r\n\n')}`,
    )
    for (const since of ['old.tar', 'whole.txt', 'typed.txt']) {
      const outcome = await exportAs('new.tar', names, '--since', at(since), '--json')
      expect(outcome).toMatchObject({ code: 0 })
      expect(resultOf(outcome)['absent']).toEqual({ count: 1, bytes: base.length })
      expect(absentIn('new.tar')).toEqual([baseLine])
      const listed = execFileSync('tar', ['tf', at('new.tar')]).toString()
      expect(listed).not.toContain(digestOf(base).slice(7))
      expect(listed).toContain(digestOf(own(3)).slice(7))
      expect(await runShell(['verify', at('new.tar')])).toMatchObject({ code: 0 })
    }
    const imported = await importInto('new.tar', '--json')
    expect(imported).toMatchObject({ code: 0 })
    // The layer that is left out is there for one image already, and mounted for the other.
    const outcomes = imported.json
      .filter(({ type }) => type === 'transferred')
      .map(({ outcome }) => String(outcome))
    expect(outcomes.toSorted((a, b) => a.localeCompare(b))).toEqual([
      'copied',
      'copied',
      'copied',
      'copied',
      'exists',
      'mounted',
    ])
    expect((await runShell(['verify', at('new.tar'), '--registry', target.host])).stdout).toContain(
      '2 of 2 are in',
    )
    expect(resultOf(await importInto('new.tar', '--json'))['roots']).toEqual([
      expect.objectContaining({ outcome: 'unchanged' }),
      expect.objectContaining({ outcome: 'unchanged' }),
    ])
  })

  it('knows what is below the manifests that a lock names', async () => {
    await exportAs('new.tar', names)
    expect(absentIn('new.tar')).toBeUndefined()
    const outcome = await exportAs('again.tar', names, '--since', at('new.tar.lock.json'), '--json')
    expect(resultOf(outcome)['absent']).toMatchObject({ count: 5 })
    await importInto('new.tar')
    expect(await importInto('again.tar')).toMatchObject({ code: 0 })
  })

  it('is refused by a registry that lacks the rest, before anything is pushed', async () => {
    await exportAs('new.tar', names, '--since', at('old.tar'))
    const { code, stderr } = await importInto('new.tar')
    expect(code).toBe(1)
    expect(stderr).toContain(digestOf(base))
    expect(stderr).toContain('nothing was pushed')
    expect(stderr).toContain('a/came:1')
    const { repositories } = (await (await fetch(`http://${target.host}/v2/_catalog`)).json()) as {
      repositories: unknown
    }
    expect(repositories).toEqual([])
  })

  it('copies within the registry what cannot be mounted', async () => {
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    try {
      const run = (file: string): Promise<Outcome> =>
        runShell(
          [
            'import',
            at(file),
            '--registry',
            ecr.registry,
            '--endpoint-url',
            ecr.endpoint,
            '--region',
            ecr.region,
            '--values',
            at('values.yaml'),
          ],
          { env: { ...ecr.environment, XDG_STATE_HOME: folder } },
        )
      const inventory = (): Promise<Outcome> =>
        runShell(
          [
            'inventory',
            '--registry',
            ecr.registry,
            '--endpoint-url',
            ecr.endpoint,
            '--region',
            ecr.region,
            '--spec',
            at('spec.yaml'),
            '--output',
            at('there.txt'),
          ],
          { env: { ...ecr.environment, XDG_STATE_HOME: folder } },
        )
      expect(await inventory()).toMatchObject({ code: 0 })
      expect(readFileSync(at('there.txt'), 'utf8')).toMatch(/^ma-bundle-inventory\/1 0\ncheck /)
      await run('old.tar')
      expect(await inventory()).toMatchObject({ code: 0 })
      expect(readFileSync(at('there.txt'), 'utf8')).toContain(digestOf(base).slice(7))
      await exportAs('new.tar', names, '--since', at('there.txt'))
      expect(absentIn('new.tar')).toEqual([baseLine])
      expect(await run('new.tar')).toMatchObject({ code: 0 })
      const place = `mirrored/${source.host.replace(':', '-')}/a`
      expect(ecr.tags()).toEqual({ [`${place}/one:1`]: moved.digest, [`${place}/came:1`]: came.digest })
      const posts = ecr.log.requests('POST', /uploads/)
      expect(posts.filter(({ query }) => query.includes('mount='))).toEqual([])
    } finally {
      await ecr.stop()
    }
  })

  it('carries what the other side has only where the bundle does not go', async () => {
    await exportAs('new.tar', ['a/came:1'], '--since', at('old.tar'))
    expect(absentIn('new.tar')).toBeUndefined()
    expect(await importInto('new.tar')).toMatchObject({ code: 0 })
  })

  it('can be neither extracted nor served whole, and says so', async () => {
    await exportAs('new.tar', names, '--since', at('old.tar'))
    const { code, stderr } = await runShell(['extract', at('new.tar'), 'came', '--output', at('out')])
    expect([code, stderr]).toEqual([1, expect.stringContaining('--since')])
    expect((await runShell(['inspect', at('new.tar')])).stdout).toContain('Leaves out 1 blob (')
  })

  it('refuses an inventory with a slip in it, and says where', async () => {
    await importInto('old.tar')
    const { stdout } = await runShell([
      'inventory',
      '--registry',
      target.host,
      '--bundle',
      at('old.tar'),
      '--short',
    ])
    const lines = stdout.split('\n')
    const said = async (change: (lines: string[]) => string[]): Promise<readonly unknown[]> => {
      writeFileSync(at('slip.txt'), change([...lines]).join('\n'))
      const { code, stderr } = await exportAs('new.tar', names, '--since', at('slip.txt'))
      return [code, stderr]
    }
    const isUsage = (text: string) => [2, expect.stringContaining(text)]
    expect(await said((all) => all.toSpliced(2, 1))).toEqual(isUsage('says 3 digests, it has 2'))
    expect(await said((all) => all.with(2, all[1] ?? ''))).toEqual(isUsage('line 3 is not behind'))
    expect(await said((all) => all.with(2, 'xyz'))).toEqual(isUsage('line 3 is no digest'))
    expect(await said((all) => all.slice(0, -2))).toEqual(isUsage('its last line'))
    const swap = (line = ''): string => line.slice(0, -1) + (line.endsWith('0') ? '1' : '0')
    expect(await said((all) => all.with(2, swap(all[2])))).toEqual(isUsage('a digit is not what it was'))
  })
})

describe('export --reuse', () => {
  it('takes from the older bundle what it has, to the same bytes', async () => {
    const images = { 'a/one:1': image(2), 'a/two:1': image(3) }
    const embedded = await startSource({ images })
    const run = (file: string, list: readonly string[], ...flags: readonly string[]): Promise<Outcome> => {
      writeFileSync(
        at('own.yaml'),
        `images:\n${list.map((name) => `  - ${embedded.host}/${name}\n`).join('')}`,
      )
      return runShell(['export', at(file), '--spec', at('own.yaml'), '--json', ...flags])
    }
    const layersAsked = (from: number): readonly string[] =>
      embedded.requests.slice(from).filter((line) => line.startsWith('GET') && line.endsWith(digestOf(base)))
    try {
      await run('old.tar', ['a/one:1'])
      await run('fresh.tar', ['a/one:1', 'a/two:1'])
      const before = embedded.requests.length
      const outcome = await run('new.tar', ['a/one:1', 'a/two:1'], '--reuse', at('old.tar'))
      expect(outcome.code).toBe(0)
      expect(layersAsked(before)).toEqual([])
      expect(resultOf(outcome)).toMatchObject({
        reused: sizeOf(image(2)) - image(2).raw.length,
        fetched: sizeOf(image(3)) - image(3).raw.length - base.length,
      })
      expect(readFileSync(at('new.tar')).equals(readFileSync(at('fresh.tar')))).toBe(true)

      const bytes = readFileSync(at('old.tar'))
      const place = bytes.indexOf(Buffer.from(base)) + 1000
      bytes[place] = (bytes[place] ?? 0) ^ 1
      writeFileSync(at('damaged.tar'), bytes)
      const healed = await run('healed.tar', ['a/one:1', 'a/two:1'], '--reuse', at('damaged.tar'))
      expect(healed.code).toBe(0)
      expect(layersAsked(before)).toHaveLength(1)
      expect(readFileSync(at('healed.tar')).equals(readFileSync(at('fresh.tar')))).toBe(true)
    } finally {
      await embedded.stop()
    }
  })
})
