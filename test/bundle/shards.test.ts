import { describe, expect, it } from 'vitest'
import { parseShard } from '../../src/bundle/format/destinations/shards.ts'

describe('parseShard', () => {
  it.each([
    ['1/4', {}, { index: 1, count: 4 }],
    [' 4/4 ', {}, { index: 4, count: 4 }],
    ['auto', { JOB_COMPLETION_INDEX: '0', JOB_COMPLETIONS: '3' }, { index: 1, count: 3 }],
    ['auto/2', { JOB_COMPLETION_INDEX: '1', JOB_COMPLETIONS: '9' }, { index: 2, count: 2 }],
  ] as const)('reads %j with %j', (text, env, wanted) => {
    expect(parseShard(text, env)).toEqual(wanted)
  })

  it.each([
    ['0/4', {}],
    ['5/4', {}],
    ['2', {}],
    ['1/0', {}],
    ['-1/2', {}],
    ['1.5/2', {}],
    ['', {}],
    ['1/9999', {}],
    ['auto', {}],
    ['auto', { JOB_COMPLETION_INDEX: '0' }],
    ['auto', { JOB_COMPLETIONS: '2' }],
    ['auto/2', { JOB_COMPLETION_INDEX: '2' }],
  ])('refuses %j with %j, and says how to write it', (text, env) => {
    expect(() => parseShard(text, env)).toThrow(
      expect.objectContaining({ kind: 'usage', next: expect.any(String) }),
    )
  })
})
