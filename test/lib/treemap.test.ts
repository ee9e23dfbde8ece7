import { describe, expect, it } from 'vitest'
import { squarify, type Rectangle } from '../../src/cli/html/treemap.ts'

const area: Rectangle = { x: 10, y: 20, width: 600, height: 400 }
const size = ({ width, height }: Rectangle): number => width * height
const overlap = (a: Rectangle, b: Rectangle): number =>
  Math.max(0, Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y))

describe('squarify', () => {
  it('lays out the example of the paper: a 6 by 4 area for 6, 6, 4, 3, 2, 2, 1', () => {
    const places = squarify([6, 6, 4, 3, 2, 2, 1], { x: 0, y: 0, width: 6, height: 4 })
    expect(places.slice(0, 2)).toEqual([
      { x: 0, y: 0, width: 3, height: 2 },
      { x: 0, y: 2, width: 3, height: 2 },
    ])
    expect(places.map(size).map((one) => Math.round(one * 1000) / 1000)).toEqual([6, 6, 4, 3, 2, 2, 1])
  })

  it.each([1, 2, 7, 60, 1000])('fills the area with %i rectangles, none over another', (count) => {
    const weights = Array.from({ length: count }, (_, at) => ((at * 7919) % 997) + 1).toSorted(
      (a, b) => b - a,
    )
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const places = squarify(weights, area)
    expect(places).toHaveLength(count)
    for (const [at, place] of places.entries()) {
      expect(size(place)).toBeCloseTo(((weights[at] ?? 0) / total) * size(area), 3)
      expect(place.x).toBeGreaterThanOrEqual(area.x - 1e-6)
      expect(place.y).toBeGreaterThanOrEqual(area.y - 1e-6)
      expect(place.x + place.width).toBeLessThanOrEqual(area.x + area.width + 1e-6)
      expect(place.y + place.height).toBeLessThanOrEqual(area.y + area.height + 1e-6)
    }
    const sample = places.slice(0, 60)
    for (const [at, one] of sample.entries())
      for (const other of sample.slice(at + 1)) expect(overlap(one, other)).toBeLessThan(1e-3)
  })

  it('has a place for what has no size', () => {
    expect(squarify([], area)).toEqual([])
    const [all, nothing] = squarify([5, 0], area)
    expect(all).toEqual(area)
    expect(size(nothing ?? area)).toBe(0)
    expect(squarify([0, 0], area).map(size)).toEqual([0, 0])
  })
})
