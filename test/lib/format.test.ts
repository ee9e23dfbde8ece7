import { describe, expect, it } from 'vitest'

import { formatBytes, formatDuration, formatRate, parseBytes, plural } from '../../src/lib/format.ts'

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['1024', 1024],
    ['512b', 512],
    ['4GiB', 4 * 1024 ** 3],
    ['4 gib', 4 * 1024 ** 3],
    ['4G', 4 * 1024 ** 3],
    ['650MB', 650_000_000],
    ['1.5k', 1536],
    ['2TiB', 2 * 1024 ** 4],
  ])('%s is %i', (text, bytes) => expect(parseBytes(text)).toBe(bytes))

  it.each([
    '',
    'GiB',
    '-1',
    '1e3',
    '4 GiBs',
    '4GiB x',
    '0x10',
    '1,5k',
    '.5k',
    '99999999TiB',
    'constructor',
    '1none',
  ])('%j is no size', (text) => expect(parseBytes(text)).toBeUndefined())
})

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10 * 1024, '10.0 KiB'],
    [100 * 1024, '100 KiB'],
    [1024 ** 2 - 1, '1.00 MiB'],
    [12.34 * 1024 ** 2, '12.3 MiB'],
    [1024 ** 3, '1.00 GiB'],
    [5000 * 1024 ** 4, '5000 TiB'],
    [-1, '0 B'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
})

describe('formatDuration', () => {
  it.each([
    [0, '0.0 s'],
    [400, '0.4 s'],
    [949, '0.9 s'],
    [950, '1 s'],
    [59_499, '59 s'],
    [59_500, '1 min'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [100 * 3_600_000, '4 d 4 h'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text))
})

it('formats rates and counts', () => {
  expect(formatRate(1024 ** 2)).toBe('1.00 MiB/s')
  expect([plural(1, 'image'), plural(2, 'image'), plural(0, 'retry', 'retries')]).toEqual([
    '1 image',
    '2 images',
    '0 retries',
  ])
})
