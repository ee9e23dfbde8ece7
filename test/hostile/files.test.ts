import { generateKeyPairSync } from 'node:crypto'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, layerOf } from '../support/images.ts'
import { runShell } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'
import { tarOf, type RawEntry } from '../support/tar-bytes.ts'
import { measured } from './measured.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-files-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const at = (name: string): string => join(folder, name)
const HEAD = 'apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: x\nversion: 1.0.0\n'

/** A few hundred bytes that stand for 10^9 words. */
const laughs = (key = 'images'): string => {
  const lines = ['a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol,lol]']
  for (let level = 1; level < 10; level += 1) {
    const before = `*a${level - 1}`
    lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => before).join(',')}]`)
  }
  return `${lines.join('\n')}\n${key}: *a9\n`
}

/** The program, in a process of its own, ends in one refusal, having needed little. */
async function refused(args: readonly string[], words: RegExp, code: number, mebibytes = 350): Promise<void> {
  const before = readdirSync(folder).toSorted()
  const outcome = await measured(args, folder)
  expect(outcome.stderr).toMatch(words)
  expect(outcome.stderr).not.toContain('bug in ma-bundle')
  expect(outcome.stderr.match(/^error: /gm)).toHaveLength(1)
  expect(outcome.code).toBe(code)
  expect(outcome.peak).toBeLessThan(mebibytes)
  expect(readdirSync(folder).toSorted()).toEqual(before)
}

describe('a spec is refused when it holds', () => {
  it.each([
    ['billions of laughs', `${HEAD}${laughs()}`, /found the key "a0"|values/],
    [
      'billions of laughs where images belong',
      `${HEAD}groups:\n  - name: a\n    images: &a [*a,*a]\n`,
      /YAML|alias|anchor|expected/i,
    ],
    ['nesting without end', `${HEAD}groups: ${'['.repeat(300_000)}`, /YAML|nested/i],
    ['nesting of lists in one line', `${HEAD}groups:\n  ${'- '.repeat(100_000)}`, /YAML|nested|expected/i],
    ['nesting of mappings', `${HEAD}groups: ${'{a: '.repeat(100_000)}`, /YAML|nested/i],
    ['more than a parser can hold', `${HEAD}# ${'x'.repeat(17_000_000)}\n`, /characters are too many/],
    ['a key that is everywhere', `${HEAD}__proto__: { polluted: true }\n`, /found the key "__proto__"/],
    ['bytes that are no text', '\u0000\u0001\u0002', /no list that is known/],
    ['a tag that makes objects', `${HEAD}groups: !!js/function "function(){}"\n`, /YAML|expected/],
  ])('%s', async (_, text, words) => {
    writeFileSync(at('spec.yaml'), text)
    await refused(['export', at('out.tar'), '--spec', at('spec.yaml')], words, 2)
  })

  it('100 MB', async () => {
    writeFileSync(at('spec.yaml'), Buffer.alloc(100_000_000, 'a'))
    await refused(['export', at('out.tar'), '--spec', at('spec.yaml')], /characters are too many/, 2)
  })
})

describe('a lock is refused when it holds', () => {
  it.each([
    ['billions of laughs', laughs(), /found the key|values/],
    ['nesting without end', '['.repeat(300_000), /YAML|nested/i],
    ['100 MB', 'a'.repeat(100_000_000), /too many|too large for this kind/],
  ])('%s', async (_, text, words) => {
    writeFileSync(at('spec.yaml'), `${HEAD}groups:\n  - name: a\n    images: [quay.io/a/b:1]\n`)
    writeFileSync(at('evil.lock'), text)
    await refused(['export', at('out.tar'), '--spec', at('spec.yaml'), '--lock', at('evil.lock')], words, 2)
  })
})

describe('a file that should be small is refused when it has 3 GB:', () => {
  const keys = generateKeyPairSync('ed25519')
  beforeAll(() => {
    const fd = openSync(at('huge'), 'w')
    ftruncateSync(fd, 3 * 1024 ** 3)
    closeSync(fd)
    writeFileSync(at('pub.pem'), keys.publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(at('some.yaml'), `${HEAD}groups:\n  - name: a\n    images: [quay.io/a/b:1]\n`)
    // A digest, two spaces, the name and a new line.
    const entries = [['SHA256SUMS', 64 + 2 + 'bundle.json'.length + 1]]
    const bundle = JSON.stringify({ format: 'ma-bundle/1', name: 'x', spec: '', roots: [], entries })
    const sums = `${digestOf(bundle).slice(7)}  bundle.json\n`
    writeFileSync(
      at('empty.tar'),
      tarOf({ path: 'bundle.json', content: bundle }, { path: 'SHA256SUMS', content: sums }),
    )
  })
  afterAll(() => rmSync(at('huge')))

  it.each<[string, () => readonly string[]]>([
    [
      'a signature',
      () => ['inspect', at('empty.tar'), '--verify-key', at('pub.pem'), '--signature', at('huge')],
    ],
    ['a public key', () => ['inspect', at('empty.tar'), '--verify-key', at('huge')]],
    ['a private key', () => ['sign', at('empty.tar'), '--key', at('huge')]],
    ['a device for a key', () => ['sign', at('empty.tar'), '--key', '/dev/zero']],
    ['a lock', () => ['export', at('out.tar'), '--spec', at('some.yaml'), '--lock', at('huge')]],
    ['a config file', () => ['inspect', at('empty.tar'), '--config', at('huge')]],
    ['a CA file', () => ['export', at('out.tar'), '--spec', at('some.yaml'), '--ca-file', at('huge')]],
    ['values', () => ['export', at('out.tar'), '--spec', at('some.yaml'), '--consumer-values', at('huge')]],
    ['a TLS key', () => ['serve', at('empty.tar'), '--tls-cert', at('huge'), '--tls-key', at('huge')]],
  ])('%s', async (_, args) => {
    await refused(args(), /too large for this kind of file/, 2, 150)
  })
})

describe('a config file is refused when it holds', () => {
  it.each([
    ['billions of laughs', laughs('all')],
    ['nesting without end', '['.repeat(300_000)],
  ])('%s', async (_, text) => {
    writeFileSync(at('config.yaml'), text)
    await refused(['inspect', at('none.tar'), '--config', at('config.yaml')], /config\.yaml|YAML/, 2)
  })
})

it('nothing but the program speaks, where YAML has keys that are maps', async () => {
  writeFileSync(at('keys.yaml'), 'all:\n  ? { password: [b] }\n  : x\n')
  const { stderr } = await measured(['inspect', 'none.tar', '--config', 'keys.yaml'], folder)
  expect(stderr).toMatch(/^error: unknown flag .* in the config file\n/)
  expect(stderr).not.toContain('Warning')
  const known = /known are (.*)/.exec(stderr)?.[1]?.split(', ') ?? []
  expect(known).toContain('registry')
  expect(new Set(known).size).toBe(known.length)
})

describe('a bundle.json is refused when it has', () => {
  const digest = digestOf('x')
  const image = { kind: 'image', name: 'quay.io/a/b:1', digest, size: 1, mediaType: 'a', platforms: [] }
  const chart = {
    kind: 'chart',
    name: 'web:1.2.3',
    digest,
    size: 1,
    mediaType: 'a',
    chart: 'web',
    version: '1.2.3',
  }
  const right = {
    format: 'ma-bundle/1',
    name: 'x',
    version: '1',
    spec: '',
    roots: [],
    bound: [],
    entries: [],
  }
  const bound = { chart: 'web', version: '1', bindings: [], notLanded: [], unreachable: [] }

  it.each<[string, unknown]>([
    ['no object', []],
    ['another format', { ...right, format: 'ma-bundle/99' }],
    ['a format that is an object', { ...right, format: { toString: 1 } }],
    ['a name that is a number', { ...right, name: 1 }],
    ['roots that are no list', { ...right, roots: {} }],
    ['a root that is null', { ...right, roots: [null] }],
    ['a root of another kind', { ...right, roots: [{ ...image, kind: 'device' }] }],
    [
      'a root with a digest that is a path',
      { ...right, roots: [{ ...image, digest: 'sha256:../../../etc' }] },
    ],
    ['an image whose name climbs out', { ...right, roots: [{ ...image, name: '../../../etc/passwd' }] }],
    [
      'an image whose name is a URL',
      { ...right, roots: [{ ...image, name: 'http://169.254.169.254/latest' }] },
    ],
    ['a chart whose name climbs out', { ...right, roots: [{ ...chart, chart: '../../../../tmp/evil' }] }],
    ['a chart whose version climbs out', { ...right, roots: [{ ...chart, version: '../../x' }] }],
    ['a chart with control characters', { ...right, roots: [{ ...chart, chart: 'web\u001b[2J' }] }],
    ['the same root twice', { ...right, roots: [image, image] }],
    ['an entry that climbs out', { ...right, entries: [['../../etc/passwd', 1]] }],
    ['an absolute entry', { ...right, entries: [['/etc/passwd', 1]] }],
    [
      'an entry twice',
      {
        ...right,
        entries: [
          ['a', 1],
          ['a', 1],
        ],
      },
    ],
    ['an entry of negative size', { ...right, entries: [['a', -1]] }],
    ['an entry of half a byte', { ...right, entries: [['a', 0.5]] }],
    ['an entry that is larger than numbers', { ...right, entries: [['a', 1e300]] }],
    ['an entry that is larger than the file', { ...right, entries: [['a', 1e15]] }],
    ['bindings that are no list', { ...right, bound: {} }],
    [
      'a binding into every object',
      { ...right, bound: [{ ...bound, bindings: [{ path: ['__proto__', 'x'] }] }] },
    ],
  ])('%s', async (_, value) => {
    const bundle = JSON.stringify(value)
    const sums = (content: string) => `${digestOf(content).slice(7)}  bundle.json\n`
    const entries: RawEntry[] = [{ path: 'bundle.json', content: bundle }]
    const listed = (value as { entries?: [string, number][] }).entries ?? []
    // With a right SHA256SUMS, so that nothing but the value itself is wrong.
    entries.push({ path: 'SHA256SUMS', content: sums(bundle) })
    writeFileSync(at('evil.tar'), tarOf(...entries))
    const before = readdirSync(folder).toSorted()
    for (const args of [
      ['inspect', at('evil.tar')],
      ['verify', at('evil.tar')],
      ['values', at('evil.tar'), '--registry', '127.0.0.1:1'],
      ['import', at('evil.tar'), '--registry', '127.0.0.1:1', '--values', at('values.yaml')],
    ]) {
      const { code, stderr } = await runShell(args)
      expect(stderr).not.toContain('bug in ma-bundle')
      expect({ command: args[0], code }, `${stderr} ${listed.length}`).toEqual({ command: args[0], code: 5 })
    }
    expect(readdirSync(folder).toSorted()).toEqual(before)
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false)
  })

  it('roots with a right table, but names that climb out', async () => {
    for (const root of [
      { ...chart, chart: '../../evil' },
      { ...image, name: 'quay.io/../../x:1' },
      { ...chart, version: '1/../../2' },
    ]) {
      const table = (head: number): unknown => ({
        ...right,
        roots: [root],
        entries: [['SHA256SUMS', 64 + 2 + 12]],
        head,
      })
      const bundle = JSON.stringify(table(0))
      writeFileSync(
        at('evil.tar'),
        tarOf(
          { path: 'bundle.json', content: bundle },
          { path: 'SHA256SUMS', content: `${digestOf(bundle).slice(7)}  bundle.json\n` },
        ),
      )
      const { code, stderr } = await runShell(['import', at('evil.tar'), '--registry', '127.0.0.1:1'])
      expect(stderr).toMatch(/lists an? (?:image|chart) that cannot be/)
      expect(code).toBe(5)
    }
  })
})

describe('a chart is refused when it', () => {
  let source: EmbeddedSource
  const yaml = 'apiVersion: v2\nname: web\nversion: 1.2.3\n'
  const tgzOf = (...entries: readonly RawEntry[]): Uint8Array => new Uint8Array(gzipSync(tarOf(...entries)))
  const good: RawEntry = { path: 'web/Chart.yaml', content: yaml }

  async function exporting(
    tgz: Uint8Array,
    words: RegExp,
    mebibytes = 400,
    code = 5,
    flags: readonly string[] = [],
  ): Promise<void> {
    const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
    source = await startSource({ images: {}, charts: [{ name: 'web', version: '1.2.3', metadata, tgz }] })
    try {
      writeFileSync(
        at('spec.yaml'),
        `${HEAD}groups:\n  - name: a\n    charts: [{ name: web, version: 1.2.3, repository: 'http://${source.host}/charts' }]\n`,
      )
      const outcome = await measured(['export', at('out.tar'), '--spec', at('spec.yaml'), ...flags], folder)
      expect(outcome.stderr).toMatch(words)
      expect(outcome.stderr).not.toContain('bug in ma-bundle')
      expect(outcome.code).toBe(code)
      expect(outcome.peak).toBeLessThan(mebibytes)
      expect(readdirSync(folder).includes('out.tar')).toBe(code === 0)
      for (const name of ['out.tar', 'out.tar.lock.json']) rmSync(at(name), { force: true })
    } finally {
      await source.stop()
    }
  }

  it.each<[string, () => Uint8Array, RegExp]>([
    [
      'holds a symbolic link',
      () => tgzOf(good, { path: 'web/l', type: '2', link: '/etc/passwd' }),
      /is a link/,
    ],
    ['holds a hard link', () => tgzOf(good, { path: 'web/l', type: '1', link: '/etc/passwd' }), /is a link/],
    ['holds a link for Chart.yaml', () => tgzOf({ ...good, type: '2', link: '/etc/passwd' }), /is a link/],
    ['holds a device', () => tgzOf(good, { path: 'web/d', type: '3' }), /is not a file|device/i],
    ['climbs out', () => tgzOf(good, { path: 'web/../../evil', content: 'x' }), /points outside/],
    ['is absolute', () => tgzOf({ path: '/web/Chart.yaml', content: yaml }), /points outside/],
    [
      'has a Chart.yaml of 50 MB',
      () => tgzOf({ ...good, content: Buffer.alloc(50_000_000, '#') }),
      /its Chart.yaml has/,
    ],
    ['laughs', () => tgzOf({ ...good, content: `${yaml}${laughs('annotations')}` }), /not valid YAML|alias/],
    [
      'nests without end',
      () => tgzOf({ ...good, content: `${yaml}annotations: ${'['.repeat(400_000)}` }),
      /YAML/,
    ],
    [
      'has a name that climbs out',
      () => tgzOf({ ...good, content: yaml.replace('web', '../../evil') }),
      /no proper name/,
    ],
    ['has a name of dots', () => tgzOf({ ...good, content: yaml.replace('web', '..') }), /no proper name/],
    ['is no tar', () => new Uint8Array(gzipSync(Buffer.alloc(10_000, 'x'))), /damaged|no Chart.yaml/],
    ['is cut off', () => tgzOf(good).subarray(0, 60), /gzip is damaged/],
    [
      'is two gzips',
      () => Buffer.concat([tgzOf({ path: 'x', content: '' }), tgzOf(good)]),
      /damaged|no Chart.yaml/,
    ],
    ['has a size that lies', () => tgzOf({ ...good, size: 8 ** 11 - 1 }), /Chart.yaml has \d+ bytes|damaged/],
  ])('%s', async (_, tgz, words) => {
    await exporting(tgz(), words)
  })

  it('has values that nest without end', () =>
    exporting(
      tgzOf(good, { path: 'web/values.yaml', content: `a: ${'['.repeat(400_000)}` }),
      /values.yaml is nested too deeply/,
      250,
      1,
    ))

  it('has values that laugh', () =>
    exporting(
      tgzOf(good, { path: 'web/values.yaml', content: laughs('a') }),
      /values.yaml is not YAML/,
      250,
      1,
    ))

  describe('or held in bounds by a real helm when it', () => {
    const values: RawEntry = { path: 'web/values.yaml', content: 'image: quay.io/a/b:1\n' }
    const template = (content: string): RawEntry => ({ path: 'web/templates/a.yaml', content })

    it.each([3, 4] as const)('renders without end, helm %i', async (major) => {
      const loop = '{{ range until 100000 }}{{ range until 100000 }}aaaaaaaaaaaaaaaa{{ end }}{{ end }}'
      const flags = ['--helm', await helmBinary(major)]
      // Helm's own memory is counted too.
      await exporting(tgzOf(good, values, template(loop)), /helm cannot render it/, 2300, 0, flags)
    })

    it.each([3, 4] as const)('wants a schema from the network, helm %i', async (major) => {
      const asked: string[] = []
      const host = createServer((request, response) => {
        asked.push(request.url ?? '')
        response.end('{}')
      })
      await new Promise<void>((resolve) => {
        host.listen(0, '127.0.0.1', resolve)
      })
      const bound = host.address()
      const base = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`
      const flags = ['--helm', await helmBinary(major)]
      for (const schema of [
        `{"properties":{"image":{"$ref":"${base}/ref"}}}`,
        `{"$schema":"${base}/meta"}`,
        `{"$id":"${base}/id/","properties":{"image":{"\\u0024ref":"other.json"}}}`,
        `{"$ref":"file:///etc/passwd"}`,
      ]) {
        const tgz = tgzOf(good, values, template('kind: List\n'), {
          path: 'web/values.schema.json',
          content: schema,
        })
        await exporting(tgz, /rendering charts/, 400, 0, flags)
      }
      expect(asked).toEqual([])
      host.close()
    })
  })

  it('unfolds from 1 MB to 1 GB', async () => {
    const whole = Buffer.concat([Buffer.from(tarOf(good)).subarray(0, 1024), Buffer.alloc(16 * 1024 * 1024)])
    // Members of a gzip stand one behind the other.
    const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    await exporting(
      Buffer.concat([gzipSync(whole), ...Array.from({ length: 16 }, () => zeros)]),
      /unpacks to more than/,
      800,
    )
  })
})

describe('an index.yaml is refused when it', () => {
  const entry = 'apiVersion: v1\nentries:\n  web:\n    - version: 1.2.3\n      urls: [web-1.2.3.tgz]\n'

  async function indexed(
    index: Iterable<string | Uint8Array>,
    words: RegExp,
    code: number,
    mebibytes: number,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const source = await startSource({
      images: { 'a/b:1': buildImage([layerOf({ a: 'x' })]) },
      intercept: (request, response) => {
        if (request.url !== '/charts/index.yaml') return false
        response.writeHead(200, headers)
        const parts = index[Symbol.iterator]()
        const more = (): void => {
          for (let next = parts.next(); next.done !== true; next = parts.next()) {
            if (response.destroyed) return
            if (!response.write(next.value)) {
              response.once('drain', more)
              return
            }
          }
          response.end()
        }
        more()
        return true
      },
    })
    try {
      writeFileSync(
        at('spec.yaml'),
        `${HEAD}groups:\n  - name: a\n    charts: [{ name: web, version: 1.2.3, repository: 'http://${source.host}/charts' }]\n`,
      )
      const outcome = await measured(['export', at('out.tar'), '--spec', at('spec.yaml')], folder)
      expect(outcome.stderr).toMatch(words)
      expect(outcome.stderr).not.toContain('bug in ma-bundle')
      expect(outcome.code).toBe(code)
      expect(outcome.peak).toBeLessThan(mebibytes)
    } finally {
      await source.stop()
    }
  }

  it('laughs', () =>
    indexed([`apiVersion: v1\n${laughs('entries')}`], /no chart web|not valid YAML|has no/, 1, 350))
  it('laughs in its entries', () =>
    indexed(
      [`${entry.replace('1.2.3', '0.0.1')}  bomb: &b [*b, *b]\n`],
      /no version 1\.2\.3|not valid YAML/,
      1,
      350,
    ))
  it('nests without end', () =>
    indexed([`apiVersion: v1\nentries: ${'['.repeat(2_000_000)}`], /not valid YAML|no chart/, 1, 700))
  it('nests without end below the chart', () =>
    indexed(
      [`apiVersion: v1\nentries:\n  web:\n    - ${'['.repeat(2_000_000)}\n`],
      /not valid YAML|no chart|no version/,
      1,
      700,
    ))
  it('has 300 MB', () => {
    const block = '# nothing but comment\n'.repeat(50_000)
    const blocks = function* (): Iterable<string> {
      yield entry
      for (let at = 0; at < 300; at += 1) yield block
    }
    return indexed(blocks(), /has more than \d+ bytes/, 5, 900)
  })
  it('unfolds from 1 MB to 1 GB', () => {
    const zeros = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    const bomb = Buffer.concat(Array.from({ length: 16 }, () => zeros))
    return indexed([bomb], /unpacks to more than/, 5, 600, { 'content-encoding': 'gzip' })
  })
  it('says it is compressed and is not', () =>
    indexed([Uint8Array.of(0x1f, 0x8b, 1, 2, 3)], /index.yaml is no gzip/, 5, 350, {
      'content-encoding': 'gzip',
    }))
  it('never ends', () => {
    const block = '# nothing but comment\n'.repeat(50_000)
    const blocks = function* (): Iterable<string> {
      for (;;) yield block
    }
    return indexed(blocks(), /has more than \d+ bytes/, 5, 900)
  })
})
