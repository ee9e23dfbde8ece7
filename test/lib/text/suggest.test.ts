import { describe, expect, it } from 'vitest'

import { didYouMean, suggest } from '../../../src/lib/text/suggest.ts'

describe('suggest', () => {
  const names = ['export', 'import', 'inspect', 'verify', 'migration-assistant-3.3.6']

  it.each([
    ['exprot', 'export'],
    ['xport', 'export'],
    ['Import', 'import'],
    ['verfy', 'verify'],
    ['migration', 'migration-assistant-3.3.6'],
    ['migration-assistant-3.3.5', 'migration-assistant-3.3.6'],
    ['delete', undefined],
    ['x', undefined],
    ['', undefined],
  ])('%j -> %j', (word, found) => expect(suggest(word, names)).toBe(found))

  it('prefers the right first letter', () => {
    expect(suggest('fsh', ['bash', 'zsh', 'fish'])).toBe('fish')
    expect(suggest('zish', ['fish', 'zsh'])).toBe('zsh')
  })

  it('asks', () => {
    expect(didYouMean('sepc', ['spec'], '--')).toBe('did you mean --spec?')
    expect(didYouMean('zzz', ['spec'])).toBeUndefined()
  })
})
