import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { place } from '../../src/archive/tar.ts'
import { decodeVolumeList, type VolumeList } from '../../src/archive/volumes/list.ts'
import { openVolumeWriter, type Seal } from '../../src/archive/volumes/writer.ts'
import { publishVolumes } from '../../src/archive/volumes/publish.ts'
import { bundlePath, cutVolumes, parseVolumesPath } from '../../src/archive/volumes/volume.ts'
import { openArchiveWriter } from '../../src/archive/writer.ts'
import { sealWith } from '../../src/bundle/media/volumes/read-back.ts'
import type { Plan } from '../../src/bundle/format/plan.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { noise } from '../support/images.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volumes-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const SPLIT = 64 * 1024
const contents = new Map<string, Uint8Array>([
  ['bundle.json', new TextEncoder().encode('the head')],
  ['small', noise(700, 1)],
  ['wide', noise(200_000, 2)],
  ['empty', new Uint8Array()],
  ['last', noise(30_000, 3)],
])
const entries = [...contents].map(([path, { length }]) => ({ path, size: length }))
const plan: Plan = {
  entries,
  head: contents.get('bundle.json') ?? new Uint8Array(),
  ready: contents,
  transfers: [],
}
const size = place(entries).size
const seal = sealWith(plan, { emit: () => undefined, signal: new AbortController().signal })

/** Fills what is not there yet, and tells what that was. */
async function fill(sealing: Seal = seal, split = SPLIT): Promise<readonly string[]> {
  const medium = await openVolumeWriter({ folder, base: 'b.tar', split, seal: sealing })
  const writer = await openArchiveWriter(medium, entries, plan.head)
  for (const { path } of entries) {
    await writer.check(path, digestOf(contents.get(path) ?? new Uint8Array()))
  }
  const lacking = entries.map(({ path }) => path).filter((path) => !writer.has(path))
  try {
    for (const path of lacking) await writer.put(path, contents.get(path) ?? new Uint8Array())
    await writer.commit()
  } catch (error) {
    await writer.close()
    throw error
  }
  return lacking
}
const names = (): readonly string[] => readdirSync(folder).toSorted()
const volumes = (): readonly string[] => names().filter((name) => /\.\d{3}$/.test(name))
const joined = (): Buffer => Buffer.concat(volumes().map((name) => readFileSync(join(folder, name))))

describe('cutVolumes', () => {
  it('numbers so that a shell lists them in order, and cuts at every byte alike', () => {
    const some = cutVolumes('b.tar', 10 * SPLIT + 1, SPLIT)
    expect(some.map(({ name }) => name).slice(-2)).toEqual(['b.tar.010', 'b.tar.011'])
    expect(some.at(-1)).toMatchObject({ offset: 10 * SPLIT, size: 1 })
    const many = cutVolumes('b.tar', 1500 * SPLIT, SPLIT)
    expect(many[0]?.name).toBe('b.tar.0001')
    expect(many.map(({ name }) => name).toSorted()).toEqual(many.map(({ name }) => name))
    expect(cutVolumes('b.tar', 5, SPLIT)).toEqual([{ name: 'b.tar.001', offset: 0, size: 5 }])
  })

  it('refuses more volumes than anybody handles, and says which size would do', () => {
    expect(() => cutVolumes('b.tar', 20_000 * SPLIT, SPLIT)).toThrow(/would make 20000 volumes; at most 9999/)
  })
})

describe('names', () => {
  it('tell volumes and their list from everything else', () => {
    expect(parseVolumesPath('/x/bundle.tar.012')).toEqual({ folder: '/x', base: 'bundle.tar', number: 12 })
    expect(parseVolumesPath('bundle.tar.volumes.json')).toEqual({ folder: '.', base: 'bundle.tar' })
    for (const other of [
      'bundle.tar',
      'a.000',
      'a.12',
      '.volumes.json',
      's3://b/bundle.tar.001',
      'a.001.partial',
    ])
      expect(parseVolumesPath(other)).toBeUndefined()
    expect(bundlePath('../x/bundle.tar.003')).toBe('../x/bundle.tar')
    expect(bundlePath('./bundle.tar')).toBe('./bundle.tar')
  })
})

describe('a medium of volumes', () => {
  it('holds the bytes of the archive, whatever falls across a border', async () => {
    await fill()
    const whole = joined()
    expect(whole).toHaveLength(size)
    for (const split of [SPLIT + 1, 100_000, size, size * 2]) {
      for (const name of names()) rmSync(join(folder, name))
      await fill(seal, split)
      expect(joined().equals(whole)).toBe(true)
    }
  })

  it('is continued wherever it was cut off while the volumes got their names', async () => {
    await fill()
    const whole = joined()
    const count = volumes().length
    for (let renamed = 0; renamed <= count; renamed += 1) {
      const list = lists()
      for (const name of names()) {
        if (/\.\d{3}$/.test(name)) await rename(join(folder, name), join(folder, `${name}.partial`))
      }
      let left = renamed
      const cut = publishVolumes(folder, 'b.tar', list, async ({ name }) => {
        if (left === 0) throw new Error('the power is gone')
        left -= 1
        await rename(join(folder, `${name}.partial`), join(folder, name))
      })
      if (renamed < count) await expect(cut).rejects.toThrow('the power is gone')
      else await cut
      expect(await fill(), `after ${renamed} names`).toEqual(renamed < count ? [] : expect.anything())
      expect(joined().equals(whole)).toBe(true)
      expect(names().filter((name) => name.endsWith('.partial'))).toEqual([])
    }
  })

  it('gives no digest to bytes that read back otherwise; the next run writes them anew', async () => {
    const before = await failing(async (file, cut, write) => {
      // What a bad medium does to one byte of an entry that lies in several volumes.
      const volume = join(folder, 'b.tar.002.partial')
      const bytes = readFileSync(volume)
      bytes[1000] = (bytes[1000] ?? 0) ^ 1
      writeFileSync(volume, bytes)
      return seal(file, cut, write)
    })
    expect(before).toMatchObject({ kind: 'integrity' })
    expect(String(before)).toMatch(
      /b\.tar\.001 to b\.tar\.004 did not keep what was written: wide reads back otherwise/,
    )
    expect(volumes()).toEqual([])
    expect(await fill()).toEqual(['wide'])
    expect(joined()).toHaveLength(size)
  })

  it('finds out when a half-written volume was taken away, and writes anew what lay in it', async () => {
    await failing(() => Promise.reject(new Error('stopped')))
    rmSync(join(folder, 'b.tar.002.partial'))
    expect(await fill()).toEqual(['wide'])
    const whole = joined()
    for (const name of names()) rmSync(join(folder, name))
    await fill()
    expect(joined().equals(whole)).toBe(true)
  })

  it('follows no link where a volume is to be written', async () => {
    const victim = join(folder, 'victim')
    writeFileSync(victim, '')
    symlinkSync(victim, join(folder, 'b.tar.001.partial'))
    await expect(fill()).rejects.toMatchObject({ kind: 'usage', where: 'b.tar.001' })
    expect(readFileSync(victim, 'utf8')).toBe('')
  })
})

const failing = (sealing?: Seal): Promise<unknown> => fill(sealing).catch((error: unknown) => error)

const lists = (): VolumeList =>
  decodeVolumeList(readFileSync(join(folder, 'b.tar.volumes.json')), 'b.tar.volumes.json')
