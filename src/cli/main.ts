import { runCommand } from 'citty'

import { thisBuild } from '../lib/build.ts'
import { usageError } from '../lib/errors.ts'
import { didYouMean } from '../lib/text/suggest.ts'
import { early, guarded, type CommandData } from './command.ts'
import type { Context } from './context.ts'
import { exitCodes, type ExitCode } from '../bundle/run/exit.ts'
import { isFlag, kebab, sharedArgs } from './args/flags.ts'
import { commandHint } from './command-hints.ts'
import { rootHelp } from './help/root.ts'
import { catalogOf, type CommandRow, type CommandTable } from './table.ts'

export interface CommandLineProgram {
  readonly version: string
  readonly description: string
  readonly commands: CommandTable
}

/** Runs one command line to its exit code. Never throws, never exits. */
export async function main(
  argv: readonly string[],
  context: Context,
  program: CommandLineProgram,
): Promise<ExitCode> {
  const table = program.commands
  return guarded(context, early('ma-bundle', argv, context), async () => {
    const { before, name, rest } = split(argv)
    if (name === undefined || name === 'help') return aboutProgram(before, rest, context, program, table)
    // citty's own look-up of sub-commands loses the flags before the name and the `data`, so only the leaf is its.
    const data: CommandData = { context, catalog: catalogOf(table) }
    const command = await find(name, table).load()
    const { result } = await runCommand(command, { rawArgs: [...before, ...rest], data })
    return result as ExitCode
  })
}

// --- internal ---

interface Split {
  /** Flags before the command. */
  readonly before: readonly string[]
  readonly name?: string
  readonly rest: readonly string[]
}

/** `--json --config x export y` -> flags of the command `export`; only shared flags make sense there. */
function split(argv: readonly string[]): Split {
  let at = 0
  for (; at < argv.length; at += 1) {
    const word = argv[at] ?? ''
    if (!word.startsWith('-')) break
    if (takesValue(word)) at += 1
  }
  const name = argv[at]
  return { before: argv.slice(0, at), ...(name === undefined ? {} : { name }), rest: argv.slice(at + 1) }
}

const takesValue = (word: string): boolean =>
  Object.entries(sharedArgs).some(([name, def]) => def.type !== 'boolean' && word === `--${kebab(name)}`)

function find(name: string, table: CommandTable): CommandRow {
  const row = Object.hasOwn(table, name) ? table[name] : undefined
  if (row !== undefined) return row
  throw usageError(`unknown command ${JSON.stringify(name)}`, {
    next:
      commandHint(name) ??
      didYouMean(name, [...Object.keys(table), 'help'], 'ma-bundle ') ??
      'see ma-bundle --help for the commands',
  })
}

/** `ma-bundle`, `ma-bundle --help`, `ma-bundle help export`, `ma-bundle --version`. */
async function aboutProgram(
  flags: readonly string[],
  topics: readonly string[],
  context: Context,
  program: CommandLineProgram,
  table: CommandTable,
): Promise<ExitCode> {
  if (flags.includes('--version') || flags.includes('-V')) {
    context.stdout.write(versionText(program.version, flags))
    return exitCodes.ok
  }
  const [topic, extent] = topics.filter((word) => !word.startsWith('-'))
  if (topic !== undefined) {
    const data: CommandData = { context, catalog: catalogOf(table) }
    const rawArgs = [extent === 'all' ? '--help=all' : '--help']
    const { result } = await runCommand(await find(topic, table).load(), { rawArgs, data })
    return result as ExitCode
  }
  refuseUnknown(flags, table)
  context.stdout.write(rootHelp(program.description, table, context.stdout.columns))
  return exitCodes.ok
}

/** With --verbose also what runs it, for bug reports. */
function versionText(version: string, flags: readonly string[]): string {
  if (!flags.includes('--verbose') && !flags.includes('-v')) return `${version}\n`
  const { arch, platform } = process
  const form = thisBuild() === undefined ? 'run from source' : 'one file'
  const machine = arch === 'x64' ? 'amd64' : arch
  return `ma-bundle ${version}\n${platform}/${machine}, ${form}, Bun ${Bun.version}\n`
}

function refuseUnknown(flags: readonly string[], table: CommandTable): void {
  const shared = Object.entries(sharedArgs).flatMap(([name, def]) =>
    isFlag(def) ? [`--${kebab(name)}`] : [],
  )
  const known = [...shared, '--no-color', '--help', '--version']
  for (const flag of flags) {
    if (!flag.startsWith('-') || known.includes(flag) || ['-h', '-q', '-v'].includes(flag)) continue
    const command = flag.replace(/^-+/, '')
    const next = Object.hasOwn(table, command)
      ? `did you mean ma-bundle ${command}?`
      : didYouMean(flag, known)
    throw usageError(`unknown flag ${flag}`, { next: next ?? 'see ma-bundle --help for the commands' })
  }
}
