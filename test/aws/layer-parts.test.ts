import { describe, expect, test } from 'vitest'
import { cutParts, partSizeFor } from '../../src/aws/ecr/layers/parts.ts'
import type { Bytes } from '../../src/lib/bytes/bytes.ts'

const MIB = 1024 * 1024

describe('partSizeFor', () => {
  test.each([
    [6 * 1024 ** 3, 10 * MIB, 5 * MIB],
    [MIB, undefined, 5 * MIB],
    [MIB, 1000, 5 * MIB],
    [52_000 * MIB, 10 * MIB, Math.ceil((52_000 * MIB) / 4200)],
    [1e15, 10 * MIB, 20 * MIB],
  ])('of %d bytes, asked for %s', (size, asked, expected) => {
    expect(partSizeFor(size, asked)).toBe(expected)
  })
})

describe('cutParts', () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, at) => at)

  async function* inSteps(step: number, from: number): Bytes {
    for (let at = from; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
  }

  test('gives every byte once, whatever the pieces and wherever it begins', async () => {
    for (const step of [1, 3, 7, 10, 99, 100]) {
      for (const [from, at] of [
        [0, 0],
        [0, 35],
        [20, 35],
        [0, 100],
        [35, 35],
      ] as const) {
        const found: number[] = []
        const starts: number[] = []
        for await (const part of cutParts(inSteps(step, from), from, at, 10)) {
          starts.push(part.at)
          found.push(...part.bytes)
        }
        expect(found).toEqual([...bytes.subarray(at)])
        expect(starts).toEqual(
          Array.from({ length: Math.ceil((100 - at) / 10) }, (_, index) => at + index * 10),
        )
      }
    }
  })
})
