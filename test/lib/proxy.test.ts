import { describe, expect, test } from 'vitest'
import { BundleError } from '../../src/lib/errors.ts'
import { proxyFor, type Env } from '../../src/lib/http/proxy.ts'

const P = 'http://proxy.example:3128'
const via = (url: string, env: Env): string | undefined => proxyFor(new URL(url), env)?.host

describe('proxyFor', () => {
  test.each([
    ['https://quay.io/', { HTTPS_PROXY: P }, 'proxy.example:3128'],
    ['https://quay.io/', { https_proxy: P }, 'proxy.example:3128'],
    ['https://quay.io/', { https_proxy: 'http://low:1', HTTPS_PROXY: P }, 'low:1'],
    ['https://quay.io/', { ALL_PROXY: P }, 'proxy.example:3128'],
    ['https://quay.io/', { HTTPS_PROXY: 'proxy.example:3128' }, 'proxy.example:3128'],
    ['https://quay.io/', { HTTP_PROXY: P }, undefined],
    ['http://quay.io/', { HTTP_PROXY: P }, 'proxy.example:3128'],
    ['http://quay.io/', { HTTPS_PROXY: P }, undefined],
    ['https://quay.io/', { HTTPS_PROXY: ' ' }, undefined],
    ['https://quay.io/', {}, undefined],
    ['https://localhost/', { HTTPS_PROXY: P }, undefined],
    ['https://127.0.0.1:5000/', { HTTPS_PROXY: P }, undefined],
    ['https://[::1]/', { HTTPS_PROXY: P }, undefined],
  ])('%s with %j goes by %s', (url, env, host) => {
    expect(via(url, env)).toBe(host)
  })

  test.each([
    ['https://quay.io/', 'quay.io', true],
    ['https://cdn.quay.io/', 'quay.io', true],
    ['https://cdn.quay.io/', '.quay.io', true],
    ['https://cdn.quay.io/', '*.quay.io', true],
    ['https://notquay.io/', 'quay.io', false],
    ['https://quay.io/', 'a.example, QUAY.IO ,b.example', true],
    ['https://quay.io/', 'a.example b.example', false],
    ['https://quay.io/', '*', true],
    ['https://quay.io/', 'quay.io:443', true],
    ['https://quay.io:8443/', 'quay.io:443', false],
    ['https://10.1.2.3/', '10.0.0.0/8', true],
    ['https://11.1.2.3/', '10.0.0.0/8', false],
    ['https://10.1.2.3/', '10.1.2.3', true],
    ['https://[fd00::5]/', 'fd00::/8', true],
    ['https://[fd00::5]/', 'fd00::5', true],
    ['https://quay.io/', '10.0.0.0/8', false],
    ['https://quay.io/', '10.0.0.0/99,/,', false],
  ])('%s with NO_PROXY %j is exempt: %s', (url, list, exempt) => {
    expect(via(url, { HTTPS_PROXY: P, NO_PROXY: list }) === undefined).toBe(exempt)
  })

  test('takes a password with a bare % as it stands', () => {
    const proxy = proxyFor(new URL('https://quay.io'), { HTTPS_PROXY: 'http://me:50%off!@proxy:3128' })
    expect(decodeURIComponent(proxy?.password ?? '')).toBe('50%off!')
    const escaped = proxyFor(new URL('https://quay.io'), { HTTPS_PROXY: 'socks5h://me:50%25off@proxy:1080' })
    expect(decodeURIComponent(escaped?.password ?? '')).toBe('50%off')
  })

  test.each(['socks4://proxy:1080', 'http://', 'http://bad host'])('%j is refused', (value) => {
    expect(() => proxyFor(new URL('https://quay.io'), { HTTPS_PROXY: value })).toThrow(BundleError)
  })
})
