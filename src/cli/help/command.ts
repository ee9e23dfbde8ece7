import type { CommandSpec } from '../command-spec.ts'
import { envName, flagText, hintText, isFlag, isLong, kebab, type Flag } from '../args/flags.ts'
import { below, commandLines, row, section, wrap } from './layout.ts'
import { byUse, sectionOf, sectionTitles } from './sections.ts'

/** What a screen shows without scrolling back far. */
const SCREEN = 60

/** The help of one command on one screen: examples, and as many flags as fit; the rest by name. */
export function commandHelp(spec: CommandSpec, columns = 80): string {
  const width = Math.min(columns, 100)
  const flags = flagsOf(spec)
  const fewer = Array.from({ length: 10 }, (_, at) => ({ examples: 3, flags: 10 - at }))
  const last = { examples: 2, flags: 0 }
  for (const size of [{ examples: Infinity, flags: Infinity }, { examples: 3, flags: Infinity }, ...fewer]) {
    const text = screen(spec, flags, size, width)
    if (text.split('\n').length <= SCREEN) return text
  }
  return screen(spec, flags, last, width)
}

/** Every flag of the command with its default and its variable, in sections. */
export function wholeHelp(spec: CommandSpec, columns = 80): string {
  const width = Math.min(columns, 100)
  const flags = flagsOf(spec)
  return joined([
    ...head(spec, spec.examples.length, width),
    ...bySection(flags).map(([title, mine]) =>
      section(
        title,
        mine.map(([name, def]) => flagRow(name, def, width)),
      ),
    ),
    wrap(
      'A flag wins over its environment variable, that over the config file (the section of the command, then "all"), ' +
        'that over the default. In a variable, several values are separated by spaces.',
      width,
      '',
    ),
  ])
}

/** `ma-bundle export <bundle> [options]`. */
export function usage({ name, args }: CommandSpec): string {
  const words = Object.entries(args).flatMap(([arg, def]) => {
    if (isFlag(def)) {
      const needed = def.type !== 'boolean' && def.required === true
      return needed ? [`--${kebab(arg)} ${hintText(def)}`] : []
    }
    const word = `<${kebab(arg)}>${def.multiple === true ? ' …' : ''}`
    return [def.required === false ? `[${word}]` : word]
  })
  return ['ma-bundle', name, ...words, '[options]'].join(' ')
}

/** A default as one would write it. */
export function defaultText(def: Flag): string {
  if (def.type === 'size' && def.names !== undefined) {
    const named = Object.entries(def.names).find(([, size]) => size === def.default)
    if (named !== undefined) return named[0]
  }
  return def.type === 'size' && def.default !== undefined ? sizeText(def.default) : String(def.default)
}

// --- internal ---

type Named = readonly [name: string, def: Flag]

const NAMES_COLUMN = 16

const flagsOf = ({ args }: CommandSpec): readonly Named[] =>
  byUse(Object.entries(args).flatMap(([name, def]) => (isFlag(def) ? [[name, def] as const] : [])))

const joined = (parts: readonly string[]): string => `${parts.filter((text) => text !== '').join('\n\n')}\n`

function screen(
  spec: CommandSpec,
  flags: readonly Named[],
  size: { readonly examples: number; readonly flags: number },
  width: number,
): string {
  const short = ([name, def]: Named): string =>
    row(leftText(name, def), [def.description, ...factsInBrackets(def)].join(' '), width)
  const shown = flags.slice(0, size.flags)
  const rest = bySection(flags.slice(size.flags))
  return joined([
    ...head(spec, size.examples, width),
    ...(rest.length === 0
      ? bySection(shown).map(([title, mine]) => section(title, mine.map(short)))
      : [section('Options used most', shown.map(short))]),
    section(
      'More options, explained by --help all',
      rest.map(([title, mine]) => {
        const names = mine.map(([name, def]) => leftName(name, def).replaceAll(' ', '\u00A0'))
        return row(title, names.join(' '), width, NAMES_COLUMN)
      }),
    ),
    rest.length === 0
      ? `ma-bundle ${spec.name} --help all adds the environment variable of each flag.`
      : 'Each flag can also be set in the environment and in ma-bundle.config.yaml.',
  ])
}

function head(spec: CommandSpec, examples: number, width: number): readonly string[] {
  const positionals = Object.entries(spec.args).filter(([, def]) => !isFlag(def))
  return [
    wrap(spec.description, width, ''),
    section('Usage', [`  ${usage(spec)}`]),
    section(
      'Examples',
      spec.examples
        .slice(0, examples)
        .flatMap(({ command, description }) => [
          wrap(`# ${description}`, width, '  '),
          commandLines(command, width),
        ]),
    ),
    section(
      'Arguments',
      positionals.map(([name, def]) => row(`<${kebab(name)}>`, def.description, width)),
    ),
  ]
}

function bySection(flags: readonly Named[]): readonly (readonly [title: string, flags: readonly Named[]])[] {
  return sectionTitles.flatMap((title) => {
    // A flag without a section is still a flag of the command.
    const mine = flags.filter(([name, def]) => (sectionOf(name, def) ?? 'Output') === title)
    return mine.length === 0 ? [] : [[title, mine] as const]
  })
}

function leftName(name: string, def: Flag): string {
  const on = def.type === 'boolean' && def.default === true
  return on ? `--[no-]${kebab(name)}` : flagText(name, def)
}

function leftText(name: string, def: Flag): string {
  const alias = def.alias === undefined ? '' : `-${def.alias}, `
  return `${alias}${leftName(name, def)} ${hintText(def)}`.trim()
}

const flagRow = (name: string, def: Flag, width: number): string =>
  `${row(leftText(name, def), def.description, width)}\n${below([...facts(def), `env\u00A0${envName(name)}`].join('; '), width)}`

const factsInBrackets = (def: Flag): readonly string[] => {
  const known = facts(def).filter((fact) => fact !== 'repeatable')
  return known.length === 0 ? [] : [`(${known.join('; ')})`]
}

/** `required`, `repeatable`, `default 8`. */
function facts(def: Flag): readonly string[] {
  const parts: string[] = []
  if (def.type === 'enum' && isLong(def)) parts.push(`one of ${def.options.join(', ')}`)
  if (def.type === 'boolean' && def.default === true) parts.push('default on')
  if (def.type !== 'boolean') {
    if (def.required === true) parts.push('required')
    if (def.multiple === true) parts.push('repeatable')
    if (def.default !== undefined) parts.push(`default ${defaultText(def)}`)
  }
  return parts
}

/** Exact, unlike sizes for reading: 4294967295 must not become 4 GiB. */
function sizeText(bytes: number): string {
  const units = ['', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let at = 0
  while (value > 0 && value % 1024 === 0 && at < units.length - 1) {
    value /= 1024
    at += 1
  }
  return `${value}${units[at]}`
}
