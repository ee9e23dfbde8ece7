import { describe, expect, it } from 'vitest'
import { rangeOf } from '../../src/bundle/serve/range.ts'

describe('rangeOf', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=2-', { start: 2, end: 10 }],
    ['bytes=2-5', { start: 2, end: 6 }],
    [' bytes=2-99 ', { start: 2, end: 10 }],
    ['bytes=-3', { start: 7, end: 10 }],
    ['bytes=-99', { start: 0, end: 10 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-2', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=-', undefined],
    ['bytes=a-b', undefined],
    ['items=0-1', undefined],
    [undefined, undefined],
  ])('reads %s of ten bytes', (header, range) => {
    expect(rangeOf(header, 10)).toEqual(range)
  })

  it('knows that nothing has no range', () => {
    expect(rangeOf('bytes=0-', 0)).toBe('unsatisfiable')
  })
})
