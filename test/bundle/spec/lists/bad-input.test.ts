import { describe, expect, it } from 'vitest'
import { readLists } from './read-lists.ts'

const SHA = (digit: string): string => `sha256:${digit.repeat(64)}`

const utf16 = (text: string, order: 'le' | 'be'): Uint8Array => {
  const bytes = Buffer.from(`\uFEFF${text}`, 'utf16le')
  return order === 'le' ? bytes : bytes.swap16()
}

describe('a list that is not as it should be', () => {
  it('is read in UTF-16 and with a byte order mark', async () => {
    const text = 'quay.io/demo/web:3\r\nquay.io/demo/api:2\r\n'
    const wanted = ['quay.io/demo/web:3', 'quay.io/demo/api:2']
    for (const bytes of [
      utf16(text, 'le'),
      utf16(text, 'be'),
      utf16(text, 'le').subarray(2),
      Buffer.from(`\uFEFF${text}`),
    ])
      expect((await readLists({ 'list.txt': bytes })).images).toEqual(wanted)
  })

  it('of another encoding is refused with its line', async () => {
    const bytes = Buffer.from('# one\n# caf\xe9\nquay.io/demo/web:3\n', 'latin1')
    await expect(readLists({ 'list.txt': bytes })).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('list.txt:2: it is no UTF-8 text'),
      next: expect.stringContaining('iconv'),
    })
  })

  it('of 100,000 lines is read whole, each image once', async () => {
    const lines = Array.from(
      { length: 100_000 },
      (_, at) => `quay.io/demo/app-${at % 50_000}:1.${at % 50_000}`,
    )
    const { images } = await readLists({ 'list.txt': lines.join('\n') })
    expect(images).toHaveLength(50_000)
    expect(images[49_999]).toBe('quay.io/demo/app-49999:1.49999')
  }, 60_000)

  it('tells what is wrong with its lines, but not for ever', async () => {
    const lines = Array.from({ length: 1000 }, (_, at) =>
      at % 2 === 0 ? `quay.io/demo/app:${at}` : 'quay.io/UPPER/x:1',
    )
    const failure = await readLists({ 'list.txt': `quay.io/demo/one:1\n${lines.join('\n')}` }).catch(
      (error: unknown) => error,
    )
    const text = String(failure)
    expect(text).toContain('500 things cannot be taken as they are listed')
    expect(text).toContain('list.txt:3: not an image reference: "quay.io/UPPER/x:1"')
    expect(text).toContain('and 475 more')
    expect(text.split('\n').length).toBeLessThan(30)
  })

  it('names templates that nobody filled in, with the part that is missing', async () => {
    const lines = [
      'quay.io/demo/web:{{ .Values.tag }}',
      'quay.io/demo/api:${TAG}',
      'quay.io/demo/x:###ZARF_PKG_TMPL_TAG###',
    ]
    const zarf = `kind: ZarfPackageConfig\ncomponents:\n  - name: a\n    images: ["${lines[2]}"]\n`
    await expect(readLists({ 'zarf.yaml': zarf })).rejects.toThrow(
      /zarf\.yaml:4: .*###ZARF_PKG_TMPL_TAG### has to be filled in/,
    )
    const list = `quay.io/demo/a:1\nquay.io/demo/b:1\nquay.io/demo/c:1\n${lines[1]}\n`
    await expect(readLists({ 'list.txt': list })).rejects.toThrow(
      /list\.txt:4: .*\$\{TAG\} has to be filled in/,
    )
    const compose = 'services: { web: { image: "quay.io/demo/web:${TAG:?no tag}" } }\n'
    await expect(readLists({ 'c.yaml': compose })).rejects.toThrow(
      /c\.yaml:1: .*\$\{TAG:\?no tag\} has to be filled in/,
    )
  })

  it('may list a thing twice, but not as two different things', async () => {
    const twice = `quay.io/demo/web:3\nquay.io/demo/web:3\n`
    expect((await readLists({ 'list.txt': twice })).images).toEqual(['quay.io/demo/web:3'])
    const files = {
      'a.txt': `quay.io/demo/one:1\nquay.io/demo/web:3@${SHA('a')}\n`,
      'b.txt': `quay.io/demo/web:3@${SHA('b')}\n`,
      'a.yaml': 'charts: ["shop|1.4.0|https://a.example"]\n',
      'b.yaml': '# the other\ncharts: ["shop|1.4.0|https://b.example"]\n',
    }
    const failure = String(await readLists(files).catch((error: unknown) => error))
    expect(failure).toContain('2 names are listed twice, and not alike')
    expect(failure).toMatch(
      new RegExp(`quay.io/demo/web:3: ${SHA('a')} in \\S*a.txt:2, ${SHA('b')} in \\S*b.txt:1`),
    )
    expect(failure).toMatch(
      /chart shop 1\.4\.0: https:\/\/a\.example\/ in \S*a\.yaml:1, https:\/\/b\.example\/ in \S*b\.yaml:2/,
    )
  })

  it('that is none at all is answered with the two shortest forms that work', async () => {
    const shortest = { kind: 'usage', next: expect.stringContaining('one image a line') }
    for (const text of ['Dear all,\nplease find the images below.\n', '', 'a: { b: c }\n', '{"a": 1}'])
      await expect(readLists({ file: text })).rejects.toMatchObject(shortest)
    await expect(readLists({ file: 'a: { b: c }\n' })).rejects.toThrow(
      /file is no list that is known here; its keys are a/,
    )
  })

  it('that is an archive, a folder of nothing, or values of a chart says what takes it', async () => {
    await expect(readLists({ 'chart.tgz': Buffer.from([0x1f, 0x8b, 8, 0]) })).rejects.toMatchObject({
      message: expect.stringContaining('chart.tgz is a gzip archive, not a list'),
      next: expect.stringContaining('--chart'),
    })
    await expect(readLists({ 'folder/readme.md': 'x' }, { specs: ['folder'] })).rejects.toMatchObject({
      message: expect.stringContaining('holds no YAML and no JSON'),
    })
    const values = 'image: { repository: quay.io/demo/web, tag: "" }\nreplicas: 2\n'
    await expect(readLists({ 'values.yaml': values })).rejects.toMatchObject({
      message: expect.stringContaining('looks like the values of a Helm chart'),
      next: expect.stringContaining('--values'),
    })
  })

  it('that nests without end is refused, in JSON and YAML, and deep objects are read', async () => {
    for (const text of [
      '['.repeat(200_000),
      `a: ${'{a: '.repeat(100_000)}`,
      `{"kind":"Pod","apiVersion":"v1","spec":${'{"a":'.repeat(50_000)}`,
    ])
      await expect(readLists({ list: text })).rejects.toMatchObject({ kind: 'usage' })
    const depth = 2000
    const deep = `{"kind":"X","apiVersion":"e.io/v1","metadata":{"name":"x"},"spec":${'{"a":'.repeat(depth)}{"containers":[{"name":"c","image":"quay.io/demo/deep:1"}]}${'}'.repeat(depth)}}`
    expect((await readLists({ list: deep })).images).toEqual(['quay.io/demo/deep:1'])
  })

  it('that repeats itself by aliases is bounded', async () => {
    const bomb = Array.from(
      { length: 12 },
      (_, at) =>
        `a${at}: &a${at} [${
          at === 0
            ? 'x'
            : Array(10)
                .fill(`*a${at - 1}`)
                .join(', ')
        }]`,
    )
    const text = `${bomb.join('\n')}\nservices: { web: { image: "quay.io/demo/web:3", deploy: *a11 } }\n`
    expect((await readLists({ 'c.yaml': text })).images).toEqual(['quay.io/demo/web:3'])
    const object = `${bomb.join('\n')}\napiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: *a11\n`
    await expect(readLists({ 'o.yaml': object })).rejects.toThrow('its aliases repeat too much')
  })
})
