import { Readable, Writable } from 'node:stream'
import type { BundleEvent } from '../bundle/run/events.ts'
import type { TypedCommand } from '../cli/command.ts'
import type { ArgsDef, sharedArgs } from '../cli/args/flags.ts'
import { redacted, type Session } from '../cli/session.ts'
import { awsConfigs } from '../cli/flags/aws.ts'
import { catalogOf } from '../cli/table.ts'
import { commands } from '../commands/table.ts'
import { createStyle } from '../cli/ui/style.ts'
import { speaking } from './error.ts'
import { argsFrom, type Options } from './options.ts'

/** What every call takes. */
export interface RunOptions {
  /** Told of every step: phases, transfers with their progress in bytes, warnings, retries. Must not throw. */
  readonly onEvent?: (event: BundleEvent) => void
  /** Stops the work. What is done is not done twice when you call again. */
  readonly signal?: AbortSignal
  /**
   * Where proxies (`HTTPS_PROXY`), credentials of AWS and docker (`AWS_PROFILE`, `DOCKER_CONFIG`) and helm (`PATH`) are
   * looked up; `process.env` unless told.
   */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** A session that has nobody in front of it. */
export function openSession(
  { onEvent, signal = new AbortController().signal, env = process.env }: RunOptions,
  onResult: (data: object) => void,
  stdin = '',
): Session {
  const tally = { retries: 0, warnings: 0 }
  return {
    emit(event) {
      if (event.type === 'retry') tally.retries += 1
      if (event.type === 'warning') tally.warnings += 1
      onEvent?.(redacted(event))
    },
    tally,
    out: { write: () => undefined },
    result: onResult,
    note: () => undefined,
    signal,
    env,
    aws: awsConfigs(env),
    stdin: Readable.from([stdin]),
    stdout: new Writable({ write: (_chunk, _encoding, done) => done() }),
    json: true,
    quiet: true,
    verbose: false,
    style: createStyle(false),
    columns: 80,
  }
}

/**
 * Runs a command without its command line, to its result.
 * @param stdin what it may read there: passwords
 */
export function runCommand<A extends ArgsDef, Result extends object>(
  command: TypedCommand<A>,
  options: Options<A & typeof sharedArgs>,
  run: RunOptions,
  stdin?: string,
): Promise<Result> {
  const results: object[] = []
  const session = openSession(run, (data) => void results.push(data), stdin)
  return speaking(session.signal, async () => {
    session.signal.throwIfAborted()
    const args = argsFrom(options, command.flags)
    const aws = awsConfigs(session.env, args)
    await command.execute(args, { ...session, aws }, catalogOf(commands))
    const [result] = results
    if (result === undefined) throw new Error(`${command.spec.name} ended without a result`)
    // The shapes of results are in commands/schema.json, which the tests hold every run to.
    return result as Result
  })
}
