import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isMidstate, resumableHash, type Midstate } from '../../src/bundle/media/s3/resumable-sha256.ts'
import { noise } from '../support/images.ts'

const content = noise(100_000, 3)
const wanted = createHash('sha256').update(content).digest('hex')

/** The states at the stops, with the content in pieces of a size. */
function statesOf(piece: number, stops: readonly number[]): Map<number, Midstate> {
  const states = new Map<number, Midstate>()
  const { hasher } = resumableHash({ stops, onState: (size, state) => states.set(size, state) })
  for (let at = 0; at < content.length; at += piece) hasher.update(content.subarray(at, at + piece))
  expect(hasher.digest('hex')).toBe(wanted)
  return states
}

describe('a sha256 that is put down and taken up', () => {
  const stops = [64, 512, 1024, 65_536, 99_968]
  test.each([1, 63, 64, 1000, 65_536, 100_000])('has the same states in pieces of %d bytes', (piece) => {
    expect(statesOf(piece, stops)).toEqual(statesOf(100_000, stops))
  })

  test('ends as one that went through', () => {
    const states = statesOf(7777, stops)
    expect([...states.keys()]).toEqual(stops)
    for (const [size, state] of states) {
      const later: number[] = []
      const { hasher, size: begun } = resumableHash({
        from: { size, state },
        stops,
        onState: (at) => later.push(at),
      })
      expect(begun).toBe(size)
      for (let at = size; at < content.length; at += 999) hasher.update(content.subarray(at, at + 999))
      expect(hasher.digest('hex')).toBe(wanted)
      expect(later).toEqual(stops.filter((stop) => stop > size))
    }
  })

  test('goes on beyond 4 GiB', () => {
    const size = 5 * 2 ** 30
    const { hasher } = resumableHash({
      from: { size, state: 'ab'.repeat(32) },
      stops: [],
      onState: () => undefined,
    })
    // The length of a sha256 counts 64 bits; one that loses the upper ones ends alike at 1 GiB.
    const other = resumableHash({
      from: { size: 2 ** 30, state: 'ab'.repeat(32) },
      stops: [],
      onState: () => undefined,
    })
    expect(hasher.digest('hex')).not.toBe(other.hasher.digest('hex'))
  })

  test('takes nothing else for a state', () => {
    expect([undefined, '', 'ab'.repeat(31), 'AB'.repeat(32), 7].map(isMidstate)).toEqual(Array(5).fill(false))
    expect(isMidstate('0f'.repeat(32))).toBe(true)
  })
})
