import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { Document } from 'yaml'
import { umbrellaOverride } from '../../../src/bundle/charts/override.ts'
import { html } from '../../../src/cli/html/markup.ts'
import { oneLine, terminalText } from '../../../src/cli/ui/style.ts'
import { jsonText, tomlString, visible } from '../../../src/lib/text/visible.ts'
import { yamlText } from '../../../src/lib/text/yaml.ts'
import { helmBinary } from '../../support/helm.ts'
import { random } from '../../support/random.ts'

const SEED = process.env['MA_BUNDLE_FUZZ_SEED'] ?? 'foreign text'
const folder = mkdtempSync(join(tmpdir(), 'ma-bundle-text-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Every control character, mark without a width, mark of direction and line separator that there is. */
const UNSEEN = Array.from({ length: 0x11_0000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter((character) => /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(character))

/** What means something to one of the formats, between words. */
const LOUD = [
  '"', "'", '\\', '#', ': ', '\n', '\r\n', '\t', ' ', '{', '}', '[', ']', ',', '&a', '*a', '!x', '|', '>', '%', '@', '`',
  '---', '...', '- ', '? ', '=', '<b>', '</script>', '&#8238;', '${x}', '{{ .Values }}', '\u001b[31m', '\u001b]0;x\u0007',
  'yes', '1.10', 'ß', '漢', '😀', 'pwned: true',
] // prettier-ignore

/** Texts in which each of `UNSEEN` stands once, and then some that are thrown together. */
function texts(): readonly string[] {
  const each = Array.from({ length: Math.ceil(UNSEEN.length / 4) }, (_, at) =>
    UNSEEN.slice(at * 4, at * 4 + 4)
      .map((character) => `shop${character}pwned: {a: b}${character}#`)
      .join(''),
  )
  const next = random(SEED)
  const pick = (all: readonly string[]): string => all[Math.floor(next() * all.length)] ?? ''
  const thrown = Array.from({ length: 200 }, () =>
    Array.from({ length: 1 + Math.floor(next() * 8) }, () => (next() < 0.5 ? pick(UNSEEN) : pick(LOUD))).join(
      '',
    ),
  )
  return [...each, ...thrown]
}

const TEXTS = texts()
/** What is seen or moves nothing: line feeds and tabs are the formats' own. */
const QUIET = /^(?:[\n\t]|[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}])*$/u

it('knows them all', () => {
  expect(UNSEEN.length).toBeGreaterThan(200)
  for (const code of [0, 7, 0x1b, 0x7f, 0x85, 0x9b, 0x200b, 0x2028, 0x2029, 0x202e, 0x2066, 0xfeff, 0xe0001])
    expect(UNSEEN).toContain(String.fromCodePoint(code))
})

describe('foreign text in', () => {
  it('a terminal is one line that shows what cannot be seen', () => {
    for (const text of TEXTS) {
      expect(oneLine(text)).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u)
      expect(stripVTControlCharacters(terminalText(text))).toMatch(QUIET)
    }
    expect(oneLine('a\u202eb\u009bc')).toBe('a⟨U+202E⟩b⟨U+009B⟩c')
    expect(terminalText('\u001b[32mok\u001b[39m \u001b[2J')).toBe('\u001b[32mok\u001b[39m ⟨U+001B⟩[2J')
  })

  it('JSON is read back the same by Python, and is quiet as it stands', () => {
    const written = jsonText({ texts: TEXTS, ...Object.fromEntries(TEXTS.map((text, at) => [text, at])) })
    expect(written).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
    expect(readBy('json.load(sys.stdin)["texts"]', written)).toEqual(TEXTS)
    expect(Object.keys(JSON.parse(jsonText(Object.fromEntries(TEXTS.map((text) => [text, 1])))))).toEqual(
      Object.keys(Object.fromEntries(TEXTS.map((text) => [text, 1]))),
    )
    expect(jsonText('\ud800')).toBe(String.raw`"\ud800"`)
  })

  it('TOML is read back the same by Python', () => {
    const written = TEXTS.map(
      (text, at) => `${tomlString(`${at}${text}`)} = ${tomlString(text)} # ${visible(text)}\n`,
    ).join('')
    expect(written).toMatch(QUIET)
    expect(readBy('[*tomllib.load(sys.stdin.buffer).values()]', written)).toEqual(TEXTS)
  })

  it.each([3, 4] as const)(
    'YAML values, keys and comments are read back the same by helm %i',
    async (major) => {
      const document = new Document({
        texts: TEXTS,
        keys: Object.fromEntries(TEXTS.map((text, at) => [`k${at}${text}`, at])),
      })
      document.commentBefore = TEXTS.map((text) => ` ${text}`).join('')
      const written = yamlText(document)
      expect(written).toMatch(QUIET)
      const back = await valuesBy(major, written)
      expect(back['texts']).toEqual(TEXTS)
      expect(back['keys']).toEqual(Object.fromEntries(TEXTS.map((text, at) => [`k${at}${text}`, at])))
      expect(Object.keys(back).toSorted()).toEqual(['keys', 'texts'])
    },
  )

  it('the override is comment, key and value of it and nothing else', async () => {
    const consumer = {
      chart: 'shop',
      registryAt: 'registry',
      chartsAt: 'charts',
      values: [],
      bindings: [],
      sets: new Map(),
    }
    const layout = { registry: 'r.example', path: '', prefix: 'mirrored', chartPrefix: 'charts' }
    for (const text of TEXTS.slice(0, 12)) {
      const chart = { name: 'web', key: text, version: '1.0.0', bindings: [], values: { [text]: text } }
      const { yaml } = umbrellaOverride(consumer, [chart], [], layout, [text])
      expect(yaml).toMatch(QUIET)
      const back = await valuesBy(4, yaml)
      expect(Object.keys(back).toSorted()).toEqual(['charts', 'registry'])
      expect(back['charts']).toMatchObject({ [text]: { values: { [text]: text } } })
    }
  })

  it('HTML has neither markup nor anything unseen in it', () => {
    for (const text of TEXTS) {
      const { markup } = html`<p title="${text}">${text}</p>`
      expect(markup).toMatch(QUIET)
      const [, title, inner] = /^<p title="([^"<>]*)">([^<>"]*)<\/p>$/u.exec(markup) ?? []
      expect(title).toBe(inner)
    }
  })
})

/** What a program of Python makes of a text, by way of its own JSON. */
const readBy = (expression: string, text: string): unknown =>
  JSON.parse(
    execFileSync('python3', ['-c', `import json, sys, tomllib; print(json.dumps(${expression}))`], {
      input: text,
      maxBuffer: 2 ** 26,
    }).toString(),
  )

/** The values that a real helm reads out of a file. */
async function valuesBy(major: 3 | 4, yaml: string): Promise<Record<string, unknown>> {
  const chart = join(folder, 'c')
  mkdirSync(join(chart, 'templates'), { recursive: true })
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: c\nversion: 1.0.0\n')
  writeFileSync(
    join(chart, 'templates/x.yaml'),
    'kind: ConfigMap\napiVersion: v1\nmetadata: { name: x }\ndata: { all: {{ .Values | toJson | b64enc }} }\n',
  )
  writeFileSync(join(folder, 'v.yaml'), yaml)
  const rendered = execFileSync(await helmBinary(major), ['template', chart, '-f', join(folder, 'v.yaml')], {
    stdio: 'pipe',
    maxBuffer: 2 ** 26,
  }).toString()
  return JSON.parse(Buffer.from(/all: (\S+)/.exec(rendered)?.[1] ?? '', 'base64').toString())
}
