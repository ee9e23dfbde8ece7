import { describe, expect, it } from 'vitest'
import { pairChanges } from '../../src/bundle/inspect/changes.ts'
import type { LockChange } from '../../src/bundle/spec/lock.ts'
import type { Digest } from '../../src/oci/digest.ts'

const A: Digest = `sha256:${'a'.repeat(64)}`
const B: Digest = `sha256:${'b'.repeat(64)}`
const image = (name: string, before?: Digest, after?: Digest): LockChange => ({
  kind: 'image',
  name,
  ...(before === undefined ? {} : { before }),
  ...(after === undefined ? {} : { after }),
  platforms: [],
})
const told = (changes: readonly LockChange[]): readonly string[] =>
  pairChanges(changes).map(({ what, name, before, after }) => `${what} ${name} ${before}>${after}`)

describe('pairChanges', () => {
  it('makes one update of what went and what came under the same name', () => {
    const changes = [image('host:5000/a/b:1', A), image('host:5000/a/b:2', undefined, B)]
    expect(pairChanges(changes)).toEqual([
      {
        kind: 'image',
        name: 'host:5000/a/b',
        what: 'updated',
        before: '1',
        after: '2',
        beforeDigest: A,
        afterDigest: B,
        platforms: [],
      },
    ])
  })

  it('says that the same version has other bytes', () => {
    expect(told([image('a/b:1', A, B)])).toEqual(['rebuilt a/b 1>1'])
  })

  it('does not guess which of several became which', () => {
    expect(told([image('a/b:1', A), image('a/b:2', undefined, A), image('a/b:3', undefined, B)])).toEqual([
      'removed a/b 1>',
      'added a/b >2',
      'added a/b >3',
    ])
  })

  it('keeps kinds apart, and reads digests and names without a version', () => {
    const chart: LockChange = { kind: 'chart', name: 'web:1.0.0', before: A, platforms: [] }
    const file: LockChange = { kind: 'file', name: 'web', after: B, platforms: [] }
    expect(told([chart, file])).toEqual(['removed web 1.0.0>', 'added web >'])
    expect(told([image(`host:5000/a@${A}`, A), image(`host:5000/a:1@${B}`, undefined, B)])).toEqual([
      `updated host:5000/a @${A}>1@${B}`,
    ])
  })
})
