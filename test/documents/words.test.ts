import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

/** Phrases that a native reader stumbles over, with what to write instead. */
const instead: readonly (readonly [RegExp, string])[] = [
  [/\btold\b/i, 'reported, called with, distinguished'],
  [/\bunless told\b/i, 'by default'],
  [/\btells? (?:more|which|whether|who|what|how|of|all|both|about)\b/i, 'shows, reports, lists'],
  [/\b(?:is|are|was|were|be) said\b|\bwhat .{0,30}\bsaid\b/i, 'is reported; the own words of …'],
  [/\bwhat (?:else )?(?:is|was|were) asked\b(?! for)(?! for)/i, 'the request'],
  [/\bfor who\b/i, 'for readers, callers, reports'],
  [/\bgone on with\b|\bgo(?:es)? on with\b/i, 'continued, resumed'],
  [/\bgiven up\b|\bgive up an? \w+/i, 'aborted, stopped'],
  [/\bsomebody else\b/i, 'another team, process, client'],
  [/\bof yours\b/i, 'your'],
  [/\bat hand\b/i, 'installed, available'],
  [/\bcannot be had\b/i, 'could not be fetched'],
  [/, as in \d/i, 'for example'],
  [/\b(?:takes?|took|taken) along\b|\btravels? along\b/i, 'includes; is included'],
  [/\banew\b/i, 'again, from scratch'],
  [/\bmend(?:s|ed|ing)?\b/i, 'repairs, fixes'],
  [/\bis no (?:file|choice)\b/i, 'is not a file; is not a valid value'],
  [/\bthere is no such\b/i, 'no such …, … not found'],
  [/\b(?:is|are|was|were|ever) looked at\b/i, 'is inspected, checked'],
  [/\bis there twice\b/i, 'appears twice'],
  [/\breckoned\b/i, 'estimated'],
  [/\bheeded\b/i, 'read, honoured'],
  [/\bfor those who\b/i, 'for approvers, recipients'],
  [/\banother medium\b/i, 'another drive'],
  [/\bname it in full\b/i, 'give its full name'],
  [/\bbroke off\b|\bcut otherwise\b/i, 'was interrupted; split at another size'],
  [/\bmakes the same bytes\b/i, 'is reproducible, byte for byte'],
  [/\bleft public\b/i, 'still public'],
  [/\bnests too deep\b/i, 'is nested too deeply'],
  [/\bthan such a file can be\b/i, 'too large for this kind of file'],
  [/\ball is well\b/i, 'all checks passed'],
  [/\bstands? in the way\b/i, 'blocks; is in its place'],
  [/\bstands? alone\b/i, 'cannot be combined'],
]

describe('the phrase', () => {
  const texts = [...sources(), ...documents()]

  it.each(instead)('%s is written nowhere; better: %s', (phrase) => {
    const found = texts.flatMap(({ file, text }) =>
      [...text.matchAll(new RegExp(phrase, 'gi'))].map(
        ({ index }) => `${file}: …${text.slice(Math.max(0, index - 30), index + 40).trim()}…`,
      ),
    )
    expect(found).toEqual([])
  })

  it('is looked for in messages, comments and documents, and not in code', () => {
    const code =
      "const told = `${told}` // who is told\nthrow new Error('was\\'nt told')\n/** a line\n * told */"
    expect(wordsOf(code).match(/told/g)).toHaveLength(3)
    expect(wordsOf(code)).toContain('a line told')
    expect(texts.length).toBeGreaterThan(400)
  })
})

// --- internal ---

interface Text {
  readonly file: string
  readonly text: string
}

function sources(): Text[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file: `src/${file}`, text: wordsOf(readFileSync(join(root, 'src', file), 'utf8')) }))
}

function documents(): Text[] {
  return ['README.md', 'CHANGELOG.md', 'manifests', 'src', 'test'].flatMap((path) =>
    (path.endsWith('.md')
      ? [path]
      : readdirSync(join(root, path), { recursive: true, encoding: 'utf8' }).map((file) => `${path}/${file}`)
    )
      .filter((file) => file.endsWith('.md'))
      .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8').replaceAll(/\s+/g, ' ') })),
  )
}

/** Texts and comments of code, one after the other, each as one line. What a template inserts is code. */
function wordsOf(code: string): string {
  const words =
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*/g
  return [...code.matchAll(words)]
    .map(([text]) =>
      text
        .replaceAll(/\$\{[^}]*\}/g, '…')
        .replaceAll(/\n\s*(?:\*|\/\/)? ?/g, ' ')
        .replaceAll(/\s+/g, ' '),
    )
    .join('\n')
}
