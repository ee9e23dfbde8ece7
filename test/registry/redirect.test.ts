import { describe, expect, test } from 'vitest'
import { BundleError } from '../../src/lib/errors.ts'
import { resolveLocation } from '../../src/registry/transport/redirect.ts'

const from = (url: string, location: string): string =>
  resolveLocation(location, new URL(url), new URL(url).origin, 'x').href

describe('resolveLocation', () => {
  test.each([
    [
      'https://r.example/v2/a/blobs/uploads/',
      '/v2/a/blobs/uploads/1?s=2',
      'https://r.example/v2/a/blobs/uploads/1?s=2',
    ],
    ['https://r.example/v2/a/blobs/uploads/', '1', 'https://r.example/v2/a/blobs/uploads/1'],
    ['https://r.example/v2/', 'https://r.example:443/x', 'https://r.example/x'],
    ['https://r.example/v2/', 'https://cdn.example/x?sig=1', 'https://cdn.example/x?sig=1'],
    ['https://r.example/v2/', 'https://user:pw@cdn.example/x', 'https://cdn.example/x'],
    // Behind a TLS proxy that does not tell the registry.
    ['https://r.example/v2/', 'http://r.example/x', 'https://r.example/x'],
    ['https://r.example:8443/v2/', 'http://r.example/x', 'https://r.example:8443/x'],
    ['http://127.0.0.1:5000/v2/', 'http://10.0.0.1/x', 'http://10.0.0.1/x'],
    ['https://10.1.2.3/v2/', 'https://10.0.0.1/x', 'https://10.0.0.1/x'],
    ['http://r.example/v2/', 'https://r.example/v2/', 'https://r.example/v2/'],
  ])('%s and %s make %s', (url, location, expected) => {
    expect(from(url, location)).toBe(expected)
  })

  test.each([
    'http://cdn.example/x',
    'http://169.254.169.254/latest/meta-data/',
    'https://169.254.169.254/',
    'https://10.0.0.1/',
    'https://[fd00::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://2130706433/',
    'https://localhost/',
    'file:///etc/passwd',
    'http://[bad',
  ])('https://r.example does not lead to %s', (location) => {
    expect(() => from('https://r.example/v2/', location)).toThrow(BundleError)
  })
})
