import { describe, expect, it } from 'vitest'
import { parseArgs } from '../../../src/cli/args/args.ts'
import { readArgv } from '../../../src/cli/args/argv.ts'
import { flagHint, flagHints } from '../../../src/cli/args/flag-hints.ts'
import { isFlag, kebab } from '../../../src/cli/args/flags.ts'
import { commandHints } from '../../../src/cli/command-hints.ts'
import { catalogOf } from '../../../src/cli/table.ts'
import { commands } from '../../../src/commands/table.ts'
import { commandLinesIn } from '../../documents/command-lines.ts'
import { runShell } from '../../support/shell.ts'

const specs = await catalogOf(commands).specs()
const flagsOf = (command: string): readonly string[] =>
  Object.entries(specs.find(({ name }) => name === command)?.args ?? {}).flatMap(([name, def]) =>
    isFlag(def) ? [kebab(name)] : [],
  )

/** Reads the command lines of a hint as the program would; throws where it would refuse one. */
function follow(next: string): void {
  for (const sentence of next.split(/[;,] /)) {
    for (const { words } of commandLinesIn(sentence)) {
      const spec = specs.find(({ name }) => name === words[0])
      expect(spec, sentence).toBeDefined()
      if (spec === undefined) continue
      const read = readArgv(words.slice(1), spec.args)
      parseArgs(read, spec.args, { command: spec.name, env: {}, config: undefined })
    }
  }
}

describe('a verb of another tool', () => {
  it.each([
    ['list', 'ma-bundle inspect'],
    ['push', 'ma-bundle import'],
    ['pull', 'ma-bundle export'],
    ['copy', 'ma-bundle mirror'],
    ['save', 'ma-bundle export'],
    ['load', 'ma-bundle import'],
    ['sync', 'ma-bundle mirror'],
    ['LS', 'ma-bundle inspect'],
    ['version', 'ma-bundle --version'],
  ])('%s leads to %s', async (word, command) => {
    const { code, stdout, stderr } = await runShell([word])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`unknown command "${word}"`)
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(command)
  })

  it('is none of the commands, stands once, and leads to lines that the program takes', () => {
    const words = commandHints.flatMap((hint) => hint.words)
    expect(words.filter((word) => Object.hasOwn(commands, word))).toEqual([])
    expect(words.length).toBe(new Set(words).size)
    for (const { next } of commandHints) follow(next)
  })

  it('does not hide a slip of the finger', async () => {
    expect((await runShell(['exprot'])).stderr).toContain('did you mean ma-bundle export?')
  })
})

describe('a flag of another tool', () => {
  it.each([
    [['export', '-f', 'list.txt'], '--spec <file>'],
    [['export', '-o', 'b.tar'], 'the bundle is the first argument'],
    [['extract', 'b.tar', '-o', 'out'], '--output <file>'],
    [['import', '-f', 'b.tar'], 'the bundle is the first argument'],
    [['serve', 'b.tar', '--port', '5000'], '--listen <host:port>'],
    [['import', 'b.tar', '--port', '5000'], '--registry <host:port>'],
    [['export', 'b.tar', '--images', 'list.txt'], '--spec <file>'],
    [['export', 'b.tar', '--all'], '--platform all'],
    [['import', 'b.tar', '--all'], 'everything in the bundle is taken'],
    [['import', 'b.tar', '--dest', 'r'], '--registry <host[/path]>'],
    [['prune', '-y'], '--yes'],
  ])('%j', async (argv, text) => {
    const { code, stderr } = await runShell(argv)
    expect(code).toBe(2)
    expect(stderr).toContain(`unknown flag ${argv.find((word) => word.startsWith('-')) ?? ''}`)
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(text)
  })

  it('leads to flags that the command has, whatever the command', () => {
    for (const { words, to } of flagHints) {
      expect(to.at(-1)?.flag, words.join(' ')).toBeUndefined()
      for (const { next } of to) follow(next)
      const [word = ''] = words
      for (const { name } of specs) {
        const next = flagHint(word, flagsOf(name)) ?? ''
        const own = /^(?:.*: )?(?:write|for|to) .*?--([a-z-]+)/.exec(next.split('ma-bundle')[0] ?? '')?.[1]
        if (own !== undefined) expect([...flagsOf(name), 'chart-values'], `${name} ${word}`).toContain(own)
      }
    }
  })

  it('stands once', () => {
    const words = flagHints.flatMap((hint) => hint.words)
    expect(words.length).toBe(new Set(words).size)
  })

  it('does not hide a slip, and names the command where nothing is near', async () => {
    expect((await runShell(['export', 'b.tar', '--sepc', 'x'])).stderr).toContain('did you mean --spec?')
    expect((await runShell(['diff', 'a', 'b', '--hlep'])).stderr).toContain('did you mean --help?')
    expect((await runShell(['diff', 'a', 'b', '--xyzzy'])).stderr).toContain('ma-bundle diff --help')
  })
})
