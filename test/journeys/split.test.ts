import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { mountSmall } from '../support/mount.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { LIST, makeVolumeSet, SPLIT, type VolumeSet } from '../support/volume-set.ts'

let set: VolumeSet
let whole: Buffer
beforeAll(async () => {
  set = await makeVolumeSet()
  whole = readFileSync(set.whole)
})
afterAll(() => set.remove())

const at = (...path: readonly string[]): string => join(set.folder, ...path)
const fresh = (name: string): string => {
  rmSync(at(name), { recursive: true, force: true })
  mkdirSync(at(name))
  return at(name)
}
const split = (folder: string, ...flags: readonly string[]): Promise<Outcome> =>
  runShell(['export', join(folder, 'bundle.tar'), '--spec', set.spec, ...flags])
const joined = (folder: string): Buffer =>
  Buffer.concat(
    readdirSync(folder)
      .filter((name) => /\.\d{3,4}$/.test(name))
      .toSorted()
      .map((name) => readFileSync(join(folder, name))),
  )
/** Requests for the largest layer of them all. Configs are read to resolve what they are of. */
const layersAsked = (before: number): readonly string[] => {
  const [digest = ''] = largest()
  return set.source.requests
    .slice(before)
    .filter((request) => request.startsWith('GET') && request.endsWith(digest))
}
const largest = () =>
  [...(set.images['team/three:3']?.blobs ?? [])].toSorted((a, b) => b[1].length - a[1].length)[0] ?? []
const resultOf = ({ json }: Outcome) =>
  json.find(({ type }) => type === 'result')?.['result'] as Record<string, unknown>

describe('export --split', () => {
  it('writes the bytes of the one file, in pieces that tar and sha256sum read without us', () => {
    expect(joined(set.set).equals(whole)).toBe(true)
    expect(readdirSync(set.set).toSorted()).toEqual(
      [...set.names, 'bundle.tar.lock.json', 'bundle.tar.sha256', LIST].toSorted(),
    )
    for (const name of set.names.slice(0, -1)) expect(readFileSync(join(set.set, name))).toHaveLength(SPLIT)
    const listed = (command: string): string =>
      execFileSync('bash', ['-c', command], { cwd: set.set }).toString()
    expect(listed('cat bundle.tar.* | tar t')).toBe(listed('tar tf ../whole/bundle.tar'))
    // What stands in front is had from the first volume alone, an importer for example.
    expect(listed('tar xOf bundle.tar.001 --occurrence oci-layout')).toContain('imageLayoutVersion')
    expect(listed('sha256sum -c bundle.tar.sha256').trim().split('\n')).toEqual(
      set.names.map((name) => `${name}: OK`),
    )
  })

  it('lists every volume, and tells a person what to carry', async () => {
    const folder = fresh('told')
    const told = await split(folder, '--split', '1MiB')
    expect(told.code).toBe(0)
    expect(told.stdout).toMatch(
      /In bundle\.tar\.001 to \.003, at most 1\.00 MiB each; .* carry bundle\.tar\.volumes\.json/,
    )
    expect(told.stderr).toMatch(/^reading back: 3 items/m)
    const list = JSON.parse(readFileSync(join(folder, LIST), 'utf8'))
    expect(list).toMatchObject({ format: 'ma-bundle-volumes/1', size: whole.length })
    for (const { name, size, sha256 } of list.volumes) {
      const bytes = readFileSync(join(folder, name))
      expect(bytes).toHaveLength(size)
      expect(digestOf(bytes)).toBe(`sha256:${sha256}`)
    }
    const again = await split(fresh('json'), '--split', '1MiB', '--json')
    expect(resultOf(again)).toMatchObject({ bundle: 'bundle.tar', list: LIST, size: whole.length })
    expect(resultOf(again)['volumes']).toHaveLength(3)
  })

  it('leaves no volume of the export before behind, and refuses one that is nobody’s', async () => {
    const folder = fresh('smaller')
    expect((await split(folder, '--split', '256KiB')).code).toBe(0)
    expect((await split(folder, '--split', '1MiB')).code).toBe(0)
    expect(joined(folder).equals(whole)).toBe(true)
    writeFileSync(join(folder, 'bundle.tar.004'), 'stray')
    const refused = await split(folder, '--split', '1MiB')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('bundle.tar.004 is in the way')
    expect(readFileSync(join(folder, 'bundle.tar.004'), 'utf8')).toBe('stray')
    rmSync(join(folder, 'bundle.tar.004'))
    rmSync(join(folder, 'bundle.tar.003'))
    mkdirSync(join(folder, 'bundle.tar.003'))
    const before = set.source.requests.length
    expect((await split(folder, '--split', '1MiB')).stderr).toContain('bundle.tar.003 is in the way')
    expect(layersAsked(before)).toEqual([])
  })

  it('takes names of media, and keeps 4GiB within what FAT32 takes', async () => {
    const { stdout } = await runShell(['export', '--help', 'all'])
    expect(stdout).toContain('fat32')
    for (const name of ['fat32', 'DVD', '4GiB', '700MB']) {
      const outcome = await split(fresh('media'), '--split', name, '--json')
      expect(outcome.code).toBe(0)
      expect(resultOf(outcome)['volumes']).toHaveLength(1)
    }
    expect((await split(fresh('media'), '--split', '10KiB')).stderr).toContain('write 64.0 KiB or more')
  })

  it('refuses the name of a volume where that of the bundle belongs', async () => {
    const { code, stderr } = await runShell(['export', at('x.tar.001'), '--spec', set.spec, '--split', 'cd'])
    expect(code).toBe(2)
    expect(stderr).toContain('name it x.tar')
  })

  it.each(['-', 's3://bucket/bundle.tar'])('is for files, and says so for %s', async (place) => {
    const { code, stderr } = await runShell(['export', place, '--spec', set.spec, '--split', 'cd'])
    expect(code).toBe(2)
    expect(stderr).toContain('volumes')
  })

  it('does not continue volumes of another size as if they were its own', async () => {
    const folder = fresh('other-size')
    writeFileSync(join(folder, 'bundle.tar.001.partial'), new Uint8Array(300_000))
    writeFileSync(join(folder, 'bundle.tar.002.partial'), new Uint8Array(300_000))
    const { code, stderr } = await split(folder, '--split', '1MiB')
    expect(code).toBe(2)
    expect(stderr).toContain('split at another size: bundle.tar.001.partial has 300000 bytes')
  })

  it('goes on where it was cut off while the volumes got their names', async () => {
    const folder = fresh('half-named')
    expect((await split(folder, '--split', '256KiB')).code).toBe(0)
    // As a kill between two renames leaves it.
    execFileSync('bash', ['-c', `mv ${LIST} ${LIST}.partial; mv bundle.tar.003 bundle.tar.003.partial`], {
      cwd: folder,
    })
    const before = set.source.requests.length
    expect((await split(folder, '--split', '256KiB')).code).toBe(0)
    expect(layersAsked(before)).toEqual([])
    expect(joined(folder).equals(whole)).toBe(true)
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([])
  })

  it('splits an earlier bundle without fetching it, and says what its name reads from then on', async () => {
    const folder = fresh('reused')
    copyFileSync(set.whole, join(folder, 'bundle.tar'))
    const outcome = await split(folder, '--split', '256KiB', '--reuse', join(folder, 'bundle.tar'))
    expect(outcome.code).toBe(0)
    expect(outcome.stderr).toContain('bundle.tar is there as one file too')
    expect(outcome.stdout).toContain('fetched 0 B')
    expect(joined(folder).equals(whole)).toBe(true)
  })
})

describe('room', () => {
  it('is looked for before anything is fetched, and told in numbers', async () => {
    const folder = fresh('narrow')
    const mounted = await mountSmall(folder, 1024 * 1024)
    try {
      const before = set.source.requests.length
      const { code, stderr } = await split(folder, '--split', '256KiB')
      expect(code).toBe(1)
      expect(stderr).toMatch(/not enough room: \d+ volumes need 2\.\d+ MiB more, 1\.00 MiB are free/)
      expect(layersAsked(before)).toEqual([])
      expect(readdirSync(folder)).toEqual([])
    } finally {
      await mounted.unmount()
    }
  })
})

describe('export --only-volume', () => {
  const again = (folder: string, number: number, ...flags: readonly string[]): Promise<Outcome> =>
    split(folder, '--only-volume', String(number), '--lock', join(set.set, 'bundle.tar.lock.json'), ...flags)

  it('makes each volume again, byte for byte, and fetches no layer that is not in it', async () => {
    const folder = fresh('again')
    copyFileSync(join(set.set, LIST), join(folder, LIST))
    const [, layer = new Uint8Array()] = largest()
    const start = whole.indexOf(Buffer.from(layer))
    const end = start + layer.length
    for (const [index, name] of set.names.entries()) {
      const before = set.source.requests.length
      const outcome = await again(folder, index + 1)
      expect(outcome.code, outcome.stderr).toBe(0)
      expect(outcome.stdout).toContain(`It is byte for byte what ${LIST} lists`)
      expect(readFileSync(join(folder, name)).equals(readFileSync(join(set.set, name)))).toBe(true)
      const asked = layersAsked(before).length > 0
      const touches = start < (index + 1) * SPLIT && end > index * SPLIT
      expect(asked, name).toBe(touches)
    }
    expect(joined(folder).equals(whole)).toBe(true)
  })

  it('needs nothing but the lock', async () => {
    const folder = fresh('lock-alone')
    for (const name of [LIST, 'bundle.tar.lock.json']) copyFileSync(join(set.set, name), join(folder, name))
    const bundle = join(folder, 'bundle.tar')
    const outcome = await runShell(['export', bundle, '--only-volume', '3', '--lock', `${bundle}.lock.json`])
    expect(outcome.code, outcome.stderr).toBe(0)
    const made = readFileSync(join(folder, 'bundle.tar.003'))
    expect(made.equals(readFileSync(join(set.set, 'bundle.tar.003')))).toBe(true)
  })

  it('works without the list when the size is told, and says that nothing was compared', async () => {
    const folder = fresh('unlisted')
    expect((await again(folder, 2)).stderr).toContain('--only-volume needs the size')
    const outcome = await again(folder, 2, '--split', '256KiB')
    expect(outcome.code).toBe(0)
    expect(outcome.stdout).toContain('compared with nothing')
    expect(
      readFileSync(join(folder, 'bundle.tar.002')).equals(readFileSync(join(set.set, 'bundle.tar.002'))),
    ).toBe(true)
  })

  it('refuses what would be of another bundle or cut otherwise, before it fetches layers', async () => {
    const folder = fresh('refused')
    copyFileSync(join(set.set, LIST), join(folder, LIST))
    const other = await again(folder, 2, '--platform', 'linux/amd64')
    expect(other.code).not.toBe(0)
    expect((await again(folder, 2, '--split', '512KiB')).stderr).toContain('cut at another size')
    expect((await again(folder, 99)).stderr).toContain('there is no volume 99')
    const renamed = at('renamed.yaml')
    writeFileSync(renamed, `${readFileSync(set.spec, 'utf8')}# a comment\n`)
    const spec = await runShell([
      'export',
      join(folder, 'bundle.tar'),
      '--spec',
      renamed,
      '--only-volume',
      '2',
      '--lock',
      join(set.set, 'bundle.tar.lock.json'),
    ])
    expect(spec.code).toBe(2)
    expect(spec.stderr).toMatch(/another bundle|not as the lock/)
    expect((await split(folder, '--only-volume', '2')).stderr).toContain('needs the lock')
    expect(existsSync(join(folder, 'bundle.tar.002'))).toBe(false)
  })

  it('leaves the old volume alone when it does not come out as listed', async () => {
    const folder = fresh('wrong-list')
    const list = readFileSync(join(set.set, LIST), 'utf8')
    const { volumes } = JSON.parse(list) as { volumes: { sha256: string }[] }
    writeFileSync(join(folder, LIST), list.replace(volumes[1]?.sha256 ?? '', '0'.repeat(64)))
    writeFileSync(join(folder, 'bundle.tar.002'), 'old')
    const { code, stderr } = await again(folder, 2)
    expect(code).toBe(5)
    expect(stderr).toContain('bundle.tar.002 did not come out as it was')
    expect(readFileSync(join(folder, 'bundle.tar.002'), 'utf8')).toBe('old')
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([])
  })
})
