import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseArgs } from '../../src/cli/args/args.ts'
import { readArgv } from '../../src/cli/args/argv.ts'
import type { CommandSpec } from '../../src/cli/command-spec.ts'
import { isFlag, kebab } from '../../src/cli/args/flags.ts'
import { catalogOf } from '../../src/cli/table.ts'
import { commands } from '../../src/commands/table.ts'
import { BundleError } from '../../src/lib/errors.ts'
import { commandLinesIn, literalsIn, type CommandLine } from './command-lines.ts'
import { FLAGS, flagsDocument } from './flags.ts'

const root = join(import.meta.dirname, '..', '..')
const documents = filesBelow(root, /\.(md|ya?ml|sh)$/)
const sources = filesBelow(join(root, 'src'), /\.ts$/)
const specs = new Map((await catalogOf(commands).specs()).map((spec) => [spec.name, spec]))

describe('the finder of command lines', () => {
  it('knows fences, backticks, YAML, continued lines, pipes and placeholders', () => {
    const text = [
      'Run `ma-bundle verify <bundle> --json`, then:',
      '```sh',
      'printf %s "$P" | ma-bundle import b.tar --registry <host>/x --tags \'a=b c\' \\',
      '    --username me | tee log  # not --this',
      'source <(ma-bundle completion bash)',
      'run: ["ma-bundle", "import"]',
      '- ma-bundle export s3://b/$KEY > x',
      '`ma-bundle lock …` and the ma-bundle bundle',
      '```',
    ].join('\n')
    expect(commandLinesIn(text).map(({ words }) => words)).toEqual([
      ['verify', '<bundle>', '--json'],
      ['import', 'b.tar', '--registry', '<host>/x', '--tags', 'a=b c', '--username', 'me'],
      ['completion', 'bash'],
      ['export', 's3://b/$KEY'],
      ['lock'],
      ['bundle'],
    ])
  })
})

describe('every command line', () => {
  it.each(documents)('in %s is one that the program takes', (file) => {
    expect(flawsIn(readFileSync(join(root, file), 'utf8'))).toEqual([])
  })

  it('in the help is one that the program takes, and there is one for every command', () => {
    for (const { name, examples } of specs.values()) {
      const lines = examples.flatMap(({ command }) => commandLinesIn(command))
      expect(lines.length, name).toBeGreaterThan(0)
      expect(lines.flatMap(flawOf)).toEqual([])
    }
  })

  it('in what the program says next has flags of its command only', () => {
    const said = sources.flatMap((file) => commandLinesIn(literalsIn(readFileSync(join(root, file), 'utf8'))))
    expect(said.length).toBeGreaterThan(40)
    expect(said.flatMap(strayFlags)).toEqual([])
  })

  it('is found where it should be', () => {
    expect(documents).toContain('README.md')
    expect(commandLinesIn(readFileSync(join(root, 'README.md'), 'utf8')).length).toBeGreaterThan(8)
  })
})

describe('every link of the documents', () => {
  it.each(documents.filter((file) => file.endsWith('.md')))('in %s leads to a file', (file) => {
    const text = readFileSync(join(root, file), 'utf8')
    const links = [
      ...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)|(?:src|srcset)="(?!https?:)([^"]+)"/g),
    ]
    const gone = links
      .map((link) => link[1] ?? link[2] ?? '')
      .filter((to) => !existsSync(join(root, dirname(file), to)))
    expect(gone).toEqual([])
  })
})

describe('the README', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')

  it('is read in one sitting', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(200)
  })

  it.each([
    '.github/SECURITY.md',
    'CHANGELOG.md',
    'manifests/README.md',
    'src/api/README.md',
    'src/bundle/format/README.md',
    'src/commands/COMMANDS.md',
    'src/commands/ERRORS.md',
    'src/commands/FLAGS.md',
    'test/bench/NOTES.md',
  ])('leads to %s', (page) => {
    expect(documents).toContain(page)
    expect(readme).toContain(`](${page}`)
  })

  it('names every command', () => {
    expect(
      Object.keys(commands).filter((name) => !new RegExp(`\\| .*\`${name}\\b.* \\|`).test(readme)),
    ).toEqual([])
  })
})

describe('the table of flags', () => {
  it('is what the code says; "bun test/documents/flags.ts" renews it', async () => {
    expect(readFileSync(FLAGS, 'utf8')).toBe(await flagsDocument())
  })
})

// --- internal ---

function filesBelow(folder: string, name: RegExp): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (['node_modules', '.git', '.quickstart'].includes(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesBelow(path, name)
    return name.test(entry.name) ? [relative(root, path)] : []
  })
}

const flawsIn = (text: string): readonly string[] => commandLinesIn(text).flatMap(flawOf)

function flawOf({ text, words, isOpen }: CommandLine): readonly string[] {
  const [name = '', ...rest] = words
  if (name === 'help') return []
  const spec = specs.get(name)
  // Prose: "the ma-bundle bundle".
  if (spec === undefined)
    return rest.some((word) => word.startsWith('--')) ? [`${text}: no such command`] : []
  if (rest.includes('--help')) return []
  try {
    parse(spec, rest, isOpen)
    return []
  } catch (error) {
    if (error instanceof BundleError) return [`${text}: ${error.message}`]
    throw error
  }
}

/** Sentences go on behind a command; its flags are flags in any case. */
function strayFlags({ text, words }: CommandLine): readonly string[] {
  const spec = specs.get(words[0] ?? '')
  const known = Object.entries(spec?.args ?? {}).flatMap(([name, def]) =>
    isFlag(def) ? [`--${kebab(name)}`, `--no-${kebab(name)}`] : [],
  )
  const flags = words.map((word) => word.split(/[=,;:.]/)[0] ?? '').filter((word) => word.startsWith('--'))
  return flags.filter((flag) => flag !== '--help' && !known.includes(flag)).map((flag) => `${text}: ${flag}`)
}

/** As the program reads it. A command that is only called by its name or one flag of it need not be whole. */
function parse(spec: CommandSpec, rest: readonly string[], isOpen: boolean): void {
  const last = rest.at(-1) ?? ''
  const takesValue = Object.entries(spec.args).some(
    ([name, def]) => isFlag(def) && def.type !== 'boolean' && `--${kebab(name)}` === last,
  )
  const read = readArgv(takesValue ? [...rest, '<value>'] : rest, spec.args)
  const isSpokenOf = isOpen || takesValue || rest.length === 0
  if (!isSpokenOf) parseArgs(read, spec.args, { command: spec.name, env: {}, config: undefined })
}
