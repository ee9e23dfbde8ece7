import { describe, expect, it } from 'vitest'
import { isVersion, sameVersion, versionTags } from '../../src/helm/version.ts'

describe('sameVersion', () => {
  it.each([
    ['1.17.2', 'v1.17.2', true],
    ['v1.4.0', '1.4.0', true],
    ['1.2', '1.2.0', true],
    ['1.2.0+build.1', '1.2.0', true],
    ['1.2.0-rc.1', 'v1.2.0-rc.1', true],
    ['1.2.0-rc.1', '1.2.0', false],
    ['1.2.3', '1.2.4', false],
    ['latest', 'latest', true],
    ['latest', 'newest', false],
    ['20240101000000000000001', '20240101000000000000002', false],
  ])('%s and %s: %s', (a, b, same) => {
    expect(sameVersion(a, b)).toBe(same)
    expect(sameVersion(b, a)).toBe(same)
  })
})

describe('versionTags', () => {
  it.each([
    ['1.17.2', ['1.17.2', 'v1.17.2']],
    ['v1.17.2', ['v1.17.2', '1.17.2']],
    ['1.0.0+up2', ['1.0.0_up2', 'v1.0.0_up2']],
  ])('%s', (version, tags) => {
    expect(versionTags(version)).toEqual(tags)
  })
})

describe('isVersion', () => {
  it.each(['>=1.0', '1.x', '', 'latest', '1.0.0 || 2'])('refuses %j', (text) => {
    expect(isVersion(text)).toBe(false)
  })
})
