import type { CommandSpec } from './command-spec.ts'
import { exitMeanings } from '../bundle/run/exit.ts'
import {
  envName,
  flagText,
  hintText,
  isFlag,
  isLong,
  kebab,
  sharedArgs,
  type ArgsDef,
  type Flag,
} from './args/flags.ts'

/** The help of one command: usage, arguments, flags with defaults and variables, examples. Readable at 80 columns. */
export function commandHelp(spec: CommandSpec, columns = 80): string {
  const width = Math.min(columns, 100)
  const own = Object.entries(spec.args).filter(([name]) => !Object.hasOwn(sharedArgs, name))
  const positionals = own.filter(([, def]) => !isFlag(def))
  const sections = [
    wrap(spec.description, width, ''),
    section('Usage', [`  ${usage(spec)}`]),
    section(
      'Arguments',
      positionals.map(([name, def]) => row(`<${kebab(name)}>`, def.description, width)),
    ),
    section('Options', flagRows(Object.fromEntries(own), width)),
    section('Options of every command', flagRows(sharedArgs, width)),
    section(
      'Examples',
      spec.examples.flatMap(({ command, description }) => [
        wrap(`# ${description}`, width, '  '),
        commandLines(command, width),
      ]),
    ),
    wrap(
      'A flag wins over its environment variable, that over the config file (the section of the command, then "all"), ' +
        'that over the default. In a variable, several values are separated by spaces.',
      width,
      '',
    ),
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}

/** The help of the program: its commands and its exit codes. */
export function rootHelp(
  about: string,
  commands: Readonly<Record<string, { readonly description: string }>>,
  columns = 80,
): string {
  const width = Math.min(columns, 100)
  const names = Object.entries(commands)
  return `${[
    wrap(about, width, ''),
    section('Usage', ['  ma-bundle <command> [options]']),
    section(
      'Start here',
      START.map(([command, what]) => row(command, what, width, 48)),
    ),
    section(
      'Commands',
      names.map(([name, { description }]) => row(name, description, width, 14)),
    ),
    section(
      'Exit codes',
      exitMeanings.map(([code, meaning]) => row(String(code), meaning, width, 6)),
    ),
    'ma-bundle <command> --help shows its flags; ma-bundle --version prints the version.',
  ].join('\n\n')}\n`
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

const nameColumn = 26

const START: readonly (readonly [command: string, what: string])[] = [
  ['ma-bundle plan', 'a preview: bytes, disk, time'],
  ['ma-bundle export bundle.tar', 'where there is internet'],
  ['ma-bundle import bundle.tar --registry <host>', 'where there is none'],
]

const section = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : [`${title}:`, ...lines].join('\n')

const flagRows = (args: ArgsDef, width: number): string[] =>
  Object.entries(args).flatMap(([name, def]) => (isFlag(def) ? [flagRow(name, def, width)] : []))

function flagRow(name: string, def: Flag, width: number): string {
  const alias = def.alias === undefined ? '' : `-${def.alias}, `
  const on = def.type === 'boolean' && def.default === true
  const left = `${alias}${on ? `--[no-]${kebab(name)}` : flagText(name, def)} ${hintText(def)}`.trim()
  return `${row(left, def.description, width)}\n${wrap(facts(name, def), width, ' '.repeat(nameColumn + 2))}`
}

/** `required; repeatable; default 8; env MA_BUNDLE_CONCURRENCY`. */
function facts(name: string, def: Flag): string {
  const parts: string[] = []
  if (def.type === 'enum' && isLong(def)) parts.push(`one of ${def.options.join(', ')}`)
  if (def.type === 'boolean' && def.default === true) parts.push('default on')
  if (def.type !== 'boolean') {
    if (def.required === true) parts.push('required')
    if (def.multiple === true) parts.push('repeatable')
    if (def.default !== undefined) parts.push(`default ${defaultText(def)}`)
  }
  return [...parts, `env\u00A0${envName(name)}`].join('; ')
}

/** A long command goes on after a backslash, as one would type it. */
function commandLines(command: string, width: number): string {
  const lines: string[] = []
  let line = '  '
  for (const part of command.split(/ (?=--?\w)/)) {
    const separate = line.trim() !== ''
    if (separate && line.length + 1 + part.length + 2 > width) {
      lines.push(`${line} \\`)
      line = `    ${part}`
    } else line = separate ? `${line} ${part}` : `${line}${part}`
  }
  return [...lines, line].join('\n')
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

function row(left: string, right: string, width: number, column = nameColumn): string {
  const indent = ' '.repeat(column + 2)
  const text = wrap(right, width, indent)
  if (left.length + 2 > column) return `  ${left}\n${text}`
  return `  ${left.padEnd(column)}${text.slice(indent.length)}`
}

function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/[ \n]+/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, indent + line].join('\n').replaceAll('\u00A0', ' ')
}
