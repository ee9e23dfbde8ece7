import { describe, expect, it } from 'vitest'
import { isFlag, kebab, sharedArgs, type ArgsDef } from '../../../src/cli/args/flags.ts'
import { commandHelp, wholeHelp } from '../../../src/cli/help/command.ts'
import { sectionOf, sections } from '../../../src/cli/help/sections.ts'
import { catalogOf, commandGroups } from '../../../src/cli/table.ts'
import { commands } from '../../../src/commands/table.ts'
import { runShell } from '../../support/shell.ts'

const specs = await catalogOf(commands).specs()
const flagsOf = (args: ArgsDef): readonly string[] =>
  Object.entries(args).flatMap(([name, def]) => (isFlag(def) ? [kebab(name)] : []))
const lines = (text: string): readonly string[] => text.trimEnd().split('\n')
/** Spellings in a help: `--[no-]prove` and `--no-prove` are both `prove`. */
const named = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/--(?:\[no-\])?([a-z][a-z-]*)/g)].map((match) => match[1] ?? ''))

describe('the help of every command', () => {
  it.each(specs)('$name fits on a screen of 60 lines and 80 columns, and names every flag', async (spec) => {
    const { stdout } = await runShell([spec.name, '--help'])
    expect(lines(stdout).length).toBeLessThanOrEqual(60)
    expect(lines(stdout).filter((line) => line.length > 80)).toEqual([])
    expect(flagsOf(spec.args).filter((flag) => !named(stdout).has(flag))).toEqual([])
    expect(stdout).not.toContain('MA_BUNDLE_')
  })

  it.each(specs)('$name --help all explains every flag once, with its variable', async (spec) => {
    for (const argv of [
      [spec.name, '--help', 'all'],
      [spec.name, '--help=all'],
      [spec.name, '-h', 'all'],
      ['help', spec.name, 'all'],
    ]) {
      const { code, stdout } = await runShell(argv)
      expect(code).toBe(0)
      const variables = [...stdout.matchAll(/env (MA_BUNDLE_[A-Z_]+)/g)].map((match) => match[1] ?? '')
      expect(variables.toSorted()).toEqual(
        flagsOf(spec.args)
          .map((flag) => `MA_BUNDLE_${flag.replaceAll('-', '_').toUpperCase()}`)
          .toSorted(),
      )
      expect(lines(stdout).filter((line) => line.length > 80)).toEqual([])
    }
  })

  it('has examples before the flags, required flags before the others', async () => {
    const { stdout } = await runShell(['import', '--help'])
    const at = (text: string): number => stdout.indexOf(text)
    expect(at('Examples:')).toBeGreaterThan(0)
    expect(at('Options used most:')).toBeGreaterThan(at('Examples:'))
    expect(at('More options')).toBeGreaterThan(at('Options used most:'))
    expect(stdout).toMatch(/Options used most:\n {2}--registry/)
  })

  it('explains every flag at once where that fits', () => {
    const help = commandHelp({
      name: 'probe',
      description: 'Probes.',
      examples: [],
      args: { spec: { type: 'string', description: 'What' }, ...sharedArgs },
    })
    expect(help).toContain('What to take:\n  --spec <text>')
    expect(help).not.toContain('More options')
  })

  it('fits whatever the number of flags, and hides none of them', () => {
    const many = Object.fromEntries(
      Array.from({ length: 90 }, (_, at) => [
        `flag${String.fromCodePoint(97 + (at % 26))}${at}`,
        { type: 'boolean' as const, description: 'A long text about this flag. '.repeat(12) },
      ]),
    )
    const spec = { name: 'probe', description: 'Probes.', examples: [], args: { ...many, ...sharedArgs } }
    const help = commandHelp(spec)
    expect(lines(help).length).toBeLessThanOrEqual(60)
    for (const name of Object.keys(many)) expect(help).toContain(`--${kebab(name)}`)
    expect(lines(wholeHelp(spec)).length).toBeGreaterThan(300)
  })
})

describe('the sections', () => {
  const all = specs.flatMap(({ args }) =>
    Object.entries(args).flatMap(([name, def]) => (isFlag(def) ? [{ name, def }] : [])),
  )

  it('have a place for every flag', () => {
    expect(all.filter(({ name, def }) => sectionOf(name, def) === undefined).map(({ name }) => name)).toEqual(
      [],
    )
  })

  it('name each flag once, and none that does not exist', () => {
    const names = Object.values(sections).flat() as readonly string[]
    expect(names.length).toBe(new Set(names).size)
    const known = new Set(all.map(({ name }) => name))
    expect(names.filter((name) => !known.has(name))).toEqual([])
  })
})

describe('the help of the program', () => {
  it('has five groups on one screen', async () => {
    const { stdout } = await runShell(['--help'])
    expect(lines(stdout).length).toBeLessThanOrEqual(60)
    const titles = Object.values(commandGroups)
    expect(titles).toHaveLength(5)
    for (const title of titles) expect(stdout).toContain(`\n${title}:\n  `)
  })
})
