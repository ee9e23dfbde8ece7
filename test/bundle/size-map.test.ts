import { describe, expect, it } from 'vitest'
import type { Item, SizedPart } from '../../src/bundle/inspect/sizes.ts'
import { sizeGroups } from '../../src/bundle/inspect/size-map.ts'
import { digestOf } from '../../src/oci/digest.ts'

const item = (kind: Item['kind']): Item => ({
  kind,
  name: kind,
  digest: digestOf(new TextEncoder().encode(kind)),
  size: 0,
  source: '',
  licences: [],
  own: 0,
  shared: 0,
  layers: 0,
  absent: 0,
})
const part = (size: number, items: readonly number[], isAbsent = false): SizedPart => ({
  digest: digestOf(new TextEncoder().encode(`${size} ${items.join()}`)),
  size,
  items,
  isAbsent,
})
const items = [item('image'), item('image'), item('chart')]

describe('sizeGroups', () => {
  it('has one group for what one item has alone and one for what the same items share', () => {
    const blobs = [part(600, [0, 1]), part(300, [0]), part(200, [1]), part(100, [0, 1]), part(50, [2])]
    expect(sizeGroups({ items, blobs })).toEqual([
      { kind: 'shared', items: [0, 1], size: 700, parts: [600, 100], count: 2 },
      { kind: 'image', items: [0], size: 300, parts: [300], count: 1 },
      { kind: 'image', items: [1], size: 200, parts: [200], count: 1 },
      { kind: 'chart', items: [2], size: 50, parts: [50], count: 1 },
    ])
  })

  it('leaves out what the bundle leaves out', () => {
    const blobs = [part(600, [0], true), part(300, [1])]
    expect(sizeGroups({ items, blobs }).map(({ size }) => size)).toEqual([300])
    expect(sizeGroups({ items, blobs: [part(600, [0], true)] })).toEqual([])
  })

  it('puts together what could not be seen, and loses no byte', () => {
    const many = Array.from({ length: 500 }, () => item('image'))
    const blobs = [
      part(1_000_000, [0]),
      ...Array.from({ length: 499 }, (_, at) => part(10 + (at % 3), [at + 1])),
      ...Array.from({ length: 300 }, (_, at) => part(1 + (at % 2), [0])),
    ].toSorted((a, b) => b.size - a.size)
    const groups = sizeGroups({ items: many, blobs })
    const total = blobs.reduce((sum, { size }) => sum + size, 0)
    expect(groups.map(({ kind }) => kind)).toEqual(['image', 'rest'])
    expect(groups[0]?.parts).toHaveLength(2)
    expect(groups[1]).toMatchObject({ count: 499 })
    expect(groups.reduce((sum, { size }) => sum + size, 0)).toBe(total)
    expect(groups.flatMap(({ parts }) => parts).reduce((sum, size) => sum + size, 0)).toBe(total)
  })
})
