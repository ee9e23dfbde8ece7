import { defineCommand, type CommandDef } from 'citty'

import { parseArgs } from './args/args.ts'
import { readArgv, type Argv } from './args/argv.ts'
import { coerce } from './args/coerce.ts'
import type { CommandCatalog, CommandSpec } from './command-spec.ts'
import { sharedSection, type Config } from './args/config-model.ts'
import { isDebug, wantsColor, type Context } from './context.ts'
import { exitCodes, type ExitCode } from '../bundle/run/exit.ts'
import { describeFailure, type FailureReport } from '../bundle/run/failure-report.ts'
import { envName, isFlag, kebab, sharedArgs, type Args, type ArgsDef } from './args/flags.ts'
import { commandHelp, wholeHelp } from './help/command.ts'
import { openSession, type CommandSession, type SessionSettings } from './session.ts'
import { failureText } from './ui/failure-text.ts'
import { strayVariables } from './args/env-typos.ts'
import { createStyle, terminalText } from './ui/style.ts'
import { jsonText } from '../lib/text/visible.ts'

type AllArgs<A extends ArgsDef> = Args<A & typeof sharedArgs>

export interface BundleCommandDef<A extends ArgsDef> extends CommandSpec<A> {
  /** True when the bundle itself goes to stdout; everything else then goes to stderr. */
  readonly dataOnStdout?: (args: AllArgs<A>) => boolean
  /**
   * The work. Throws to fail; may return an exit code when the result itself is the bad news (a failed verification).
   */
  readonly run: (
    args: AllArgs<A>,
    session: CommandSession,
    catalog: CommandCatalog,
  ) => Promise<ExitCode | void>
}

/** A command whose arguments are known to nobody but itself. */
export interface BundleCommand extends CommandDef {
  readonly spec: CommandSpec
}

/** What `main` hands to a command through citty's `data`. */
export interface CommandData {
  readonly context: Context
  readonly catalog: CommandCatalog
}

/**
 * A command of the table. citty gives it its shape and its lazy loading; the command line is read here, strictly (see
 * `argv.ts`), together with environment and config file. Whatever `run` throws becomes text and an exit code.
 */
export function defineBundleCommand<const A extends ArgsDef>(def: BundleCommandDef<A>): BundleCommand {
  const args = { ...def.args, ...sharedArgs }
  const spec: CommandSpec = { name: def.name, description: def.description, examples: def.examples, args }
  const command = defineCommand({
    meta: { name: def.name, description: def.description },
    run: async ({ rawArgs, data }): Promise<ExitCode> => {
      const { context, catalog }: CommandData = data
      if (asksForHelp(rawArgs)) {
        const help = asksForAll(rawArgs) ? wholeHelp : commandHelp
        context.stdout.write(help(spec, context.stdout.columns))
        return exitCodes.ok
      }
      const settings = early(def.name, rawArgs, context)
      const dataOnStdout = def.dataOnStdout !== undefined && rawArgs.includes('-')
      return guarded(context, { ...settings, dataOnStdout }, async () => {
        const read = readArgv(rawArgs, args, def.name)
        const config = await configOf(read, spec, context, catalog)
        const values = parseArgs(read, args, { command: def.name, env: context.env, config })
        return runWith(def, spec, values, { context, catalog })
      })
    },
  })
  return Object.assign(command, { spec })
}

/** Runs a task to its exit code; what it throws is reported on stderr, and under `--json` on stdout too. */
export async function guarded(
  context: Context,
  settings: SessionSettings,
  task: () => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    return await task()
  } catch (error) {
    return tell(describeFailure(error, context.signal.aborted), context, settings)
  }
}

/** For what is thrown outside of any command: an event handler, a promise nobody waits for. */
export const reportCrash = (error: unknown, context: Context, argv: readonly string[]): ExitCode =>
  tell(describeFailure(error), context, early('ma-bundle', argv, context))

/** Settings for an error that happens before the arguments are known. */
export function early(command: string, argv: readonly string[], { env }: Context): SessionSettings {
  const flags = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  const has = (...spellings: string[]): boolean => spellings.some((spelling) => flags.includes(spelling))
  return {
    command,
    json: has('--json') || ['1', 'true', 'yes', 'on'].includes(env[envName('json')] ?? ''),
    quiet: has('--quiet', '-q'),
    verbose: has('--verbose', '-v'),
    color: !has('--no-color'),
    dataOnStdout: false,
  }
}

// --- internal ---

function tell(report: FailureReport, context: Context, settings: SessionSettings): ExitCode {
  const { json, verbose, color, dataOnStdout } = settings
  const style = createStyle(wantsColor(context, color))
  context.stderr.write(terminalText(failureText(report, style, verbose || isDebug(context))))
  if (json) {
    const { stack: _, isOneCause: __, ...document } = report
    const results = dataOnStdout ? context.stderr : context.stdout
    results.write(`${jsonText({ type: 'error', ...document })}\n`)
  }
  return report.exitCode
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.some((text, at) => /^(--help|-h)(=all)?$/.test(text) && (end < 0 || at < end))
}

/** `--help all`, `--help=all`. */
const asksForAll = (argv: readonly string[]): boolean =>
  argv.some(
    (text, at) => /^(--help|-h)=all$/.test(text) || (/^(--help|-h)$/.test(text) && argv[at + 1] === 'all'),
  )

async function runWith<A extends ArgsDef>(
  def: BundleCommandDef<A>,
  spec: CommandSpec,
  args: AllArgs<A>,
  { context, catalog }: CommandData,
): Promise<ExitCode> {
  const { json, quiet, verbose, color }: Args<typeof sharedArgs> = args
  const dataOnStdout = def.dataOnStdout?.(args) === true
  const settings = { command: def.name, json, quiet, verbose, color, dataOnStdout }
  // Loaded here, because a help needs none of it.
  const { awsConfigs } = await import('./flags/aws.ts')
  const { session, renderer } = openSession(context, settings, awsConfigs(context.env, args))
  const announce = (): void => renderer.print('stopping; press Ctrl-C again to quit at once\n')
  context.signal.addEventListener('abort', announce)
  return guarded(context, settings, async () => {
    try {
      for (const { name, meant } of await strayVariables(context.env, spec, catalog)) {
        session.emit({ type: 'warning', message: `nothing reads ${name}`, next: `did you mean ${meant}?` })
      }
      return (await def.run(args, session, catalog)) ?? exitCodes.ok
    } finally {
      context.signal.removeEventListener('abort', announce)
      renderer.close()
    }
  })
}

/** The config file of this run, its names checked: a slip in it must not pass in silence. */
async function configOf(
  read: Argv,
  spec: CommandSpec,
  { env }: Context,
  catalog: CommandCatalog,
): Promise<Config | undefined> {
  const { defaultConfigFile, readConfig, refuseUnknown } = await import('./args/config.ts')
  const fromEnv = env[envName('config')] ?? ''
  const given =
    read.flags.get('config')?.[0] ?? (fromEnv === '' ? undefined : { text: fromEnv, where: 'environment' })
  const file = given === undefined ? defaultConfigFile : String(coerce(sharedArgs.config, given))
  const config = await readConfig(file, given === undefined)
  if (config === undefined) return undefined
  for (const section of config.sections.keys()) {
    refuseUnknown('section', section, [sharedSection, ...catalog.commands], config.position(section))
  }
  const own = configurable(spec)
  for (const flag of config.sections.get(spec.name) ?? []) {
    refuseUnknown('flag', flag, own, config.position(spec.name, flag))
  }
  const foreign = (config.sections.get(sharedSection) ?? []).filter((flag) => !own.includes(flag))
  const known = foreign.length > 0 ? (await catalog.specs()).flatMap(configurable) : []
  for (const flag of foreign) refuseUnknown('flag', flag, known, config.position(sharedSection, flag))
  return config
}

const configurable = ({ args }: CommandSpec): string[] =>
  Object.entries(args).flatMap(([name, def]) => (isFlag(def) && name !== 'config' ? [kebab(name)] : []))
