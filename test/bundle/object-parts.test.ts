import { describe, expect, test } from 'vitest'
import { place, type Entry } from '../../src/archive/tar.ts'
import { planParts } from '../../src/bundle/media/s3/parts.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30
const TIB = 2 ** 40

const entries = (...sizes: readonly number[]): Entry[] =>
  sizes.map((size, at) => ({ path: `blobs/sha256/${String(at).padStart(64, '0')}`, size }))

const many = (count: number, size: (at: number) => number): Entry[] =>
  entries(...Array.from({ length: count }, (_, at) => Math.floor(size(at))))

describe('the parts of an object', () => {
  test.each<readonly [name: string, list: Entry[]]>([
    ['almost nothing', entries(10, 20)],
    ['exactly a part', entries(8 * MIB - 1536)],
    ['one byte more', entries(8 * MIB - 1535)],
    ['one layer of 3 GiB', entries(100, 3 * GIB)],
    ['a layer of 9 GiB, above what ustar takes', entries(5000, 9 * GIB + 1, 3)],
    ['small ones only', many(5000, (at) => 1000 + at)],
    ['layers just above 8 MiB', many(800, (at) => 8 * MIB + 1 + at)],
    ['layers just below 8 MiB', many(800, (at) => 8 * MIB - at)],
    ['a large one behind a little', entries(3 * MIB, 50 * MIB, 4 * MIB, 50 * MIB)],
    ['50 GiB of everything', many(1000, (at) => (at % 7) ** 4 * 80_000 + at)],
    ['more than 5 GiB', many(70, () => 80 * MIB)],
    ['80 GiB of layers of 9 MiB', many(9000, () => 9 * MIB)],
    ['300 GiB', many(3000, () => 100 * MIB)],
    ['5 TiB in one', entries(5 * TIB - 4096)],
    ['5 TiB of layers of 11 MiB', many(470_000, () => 11 * MIB)],
  ])('%s', (_, list) => {
    const placement = place(list)
    const parts = planParts(placement)
    expect(parts.length).toBeLessThanOrEqual(10_000)
    expect(parts[0]?.start).toBe(0)
    expect(parts.at(-1)?.end).toBe(placement.size)
    for (const [at, { number, start, end }] of parts.entries()) {
      expect(number).toBe(at + 1)
      expect(start).toBe(parts[at - 1]?.end ?? 0)
      expect(start % 512).toBe(0)
      expect(end - start).toBeLessThanOrEqual(5 * GIB)
      if (at < parts.length - 1) expect(end - start).toBeGreaterThanOrEqual(5 * MIB)
    }
    // What is not huge goes out of memory.
    if (placement.size < 70 * GIB) {
      expect(Math.max(...parts.map(({ start, end }) => end - start))).toBeLessThanOrEqual(10 * MIB + 1024)
    }
  })

  test('a large entry begins a part, so that nothing before it is uploaded again with it', () => {
    const placement = place(entries(1000, 100 * MIB, 2 * MIB, 100 * MIB, 30 * MIB))
    const starts = planParts(placement).map(({ start }) => start)
    const [, , , fourth, fifth] = placement.entries
    expect(starts).toContain(fourth?.headerAt)
    expect(starts).toContain(fifth?.headerAt)
  })

  test('more than 5 TiB fit into no object', () => {
    expect(() => planParts(place(entries(5 * TIB)))).toThrow(/5497558140416 bytes, more than the 5.00 TiB/)
  })
})
