import { describe, expect, it } from 'vitest'
import { findInIndex } from '../../src/helm/index-file.ts'

const SHA = 'ab'.repeat(32)
const find = (text: string, name = 'web', version = '1.2.3') =>
  findInIndex(text, name, version, 'chart repository x')

const entry = (version: string, more = '') => `
  - name: web
    version: ${version}
    digest: ${SHA}
    urls:
    - web-${version}.tgz${more}`

const INDEX = `apiVersion: v1
entries:
  alpha:
  - name: alpha
    description: |
      web:
      - version: 1.2.3
    version: 0.1.0
    urls: [alpha.tgz]
  web:${entry('v2.0.0')}${entry('1.2.3')}${entry('1.2.2')}
  zeta:
  - name: zeta
    version: 0.1.0
    urls: [zeta.tgz]
generated: "2026-01-01T00:00:00Z"
`

describe('findInIndex', () => {
  it('finds a version', () => {
    expect(find(INDEX)).toEqual({ name: 'web', version: '1.2.3', url: 'web-1.2.3.tgz', sha256: SHA })
  })

  it('takes the exact version first, then one that differs in its v', () => {
    expect(find(INDEX, 'web', '2.0.0').version).toBe('v2.0.0')
    const both = `apiVersion: v1\nentries:\n  web:${entry('v1.2.3')}${entry('1.2.3')}\n`
    expect(find(both).version).toBe('1.2.3')
    expect(find(both, 'web', 'v1.2.3').version).toBe('v1.2.3')
  })

  it.each([
    ['JSON', JSON.stringify({ apiVersion: 'v1', entries: { web: [{ version: '1.2.3', urls: ['a.tgz'] }] } })],
    [
      'deeper lists',
      'apiVersion: v1\nentries:\n    web:\n        - version: 1.2.3\n          urls: [a.tgz]\n    x: []\n',
    ],
    ['quoted keys', 'entries:\n  "web":\n  - version: "1.2.3"\n    urls: ["a.tgz"]\napiVersion: "v1"\n'],
    [
      'CRLF',
      'apiVersion: v1\r\nentries:\r\n  web:\r\n  - version: 1.2.3\r\n    urls:\r\n    - a.tgz\r\n  x: []\r\n',
    ],
    [
      'a comment and an empty line',
      'apiVersion: v1\nentries:\n  # ours\n\n  web:\n\n  # first\n  - version: 1.2.3\n    urls: [a.tgz]\n',
    ],
    [
      'an anchor elsewhere',
      'apiVersion: v1\nentries:\n  other:\n  - &o\n    version: 1.2.3\n    urls: [a.tgz]\n  web:\n  - *o\n',
    ],
    ['entries as a flow mapping', 'apiVersion: v1\nentries: { web: [{ version: 1.2.3, urls: [a.tgz] }] }\n'],
    ['the chart as last', 'apiVersion: v1\nentries:\n  a: []\n  web:\n  - version: 1.2.3\n    urls: [a.tgz]'],
  ])('reads an index written as %s', (_, text) => {
    expect(find(text)).toMatchObject({ version: '1.2.3', url: 'a.tgz' })
  })

  it('skips broken entries instead of failing', () => {
    const text = `apiVersion: v1\nentries:\n  web:\n  -\n  - 5\n  - version: not a version\n  - name: web${entry('1.2.3').slice(0)}\n`
    expect(find(text).version).toBe('1.2.3')
  })

  it('takes a digest with or without its algorithm, and none that is not sha256', () => {
    const withDigest = (digest: string) =>
      find(`apiVersion: v1\nentries:\n  web:\n  - {version: 1.2.3, urls: [a.tgz], digest: "${digest}"}\n`)
        .sha256
    expect(withDigest(`sha256:${SHA}`)).toBe(SHA)
    expect(withDigest(SHA.toUpperCase())).toBe(SHA)
    expect(withDigest('d41d8cd98f00b204e9800998ecf8427e')).toBeUndefined()
  })

  it.each([
    [
      'a chart that is not there',
      INDEX,
      'nope',
      'the repository has no chart nope',
      'it has alpha, web, zeta',
    ],
    [
      'a version that is not there',
      INDEX,
      'alpha',
      'the repository has no version 1.2.3 of chart alpha',
      'it has 0.1.0',
    ],
    [
      'no apiVersion',
      'entries:\n  web:\n  - version: 1.2.3\n',
      'web',
      'it has no apiVersion',
      'index.yaml lies directly below it',
    ],
    [
      'a web page',
      '<!doctype html><title>Log in</title>',
      'web',
      'chart repository',
      'address of the repository',
    ],
    ['no address', 'apiVersion: v1\nentries:\n  web:\n  - version: 1.2.3\n', 'web', 'without an address', ''],
    [
      'a name from the prototype',
      INDEX,
      'constructor',
      'the repository has no chart constructor',
      'it has alpha',
    ],
  ])('says what is wrong with %s', (_, text, name, message, next) => {
    expect(() => find(text, name)).toThrow(
      expect.objectContaining({
        kind: 'failed',
        where: 'chart repository x',
        message: expect.stringContaining(message),
        ...(next === '' ? {} : { next: expect.stringContaining(next) }),
      }),
    )
  })

  it('refuses a YAML bomb', () => {
    const line = (at: number) =>
      `a${at}: &a${at} [${Array.from({ length: 9 }, () => `*a${at - 1}`).join(', ')}]`
    const bomb = [
      'apiVersion: v1',
      'a0: &a0 [x]',
      ...Array.from({ length: 11 }, (_, at) => line(at + 1)),
    ].join('\n')
    expect(() => find(`${bomb}\nentries: {}\n`)).toThrow(/not valid YAML/)
  })
})
