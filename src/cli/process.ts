import { homedir } from 'node:os'
import { BundleError, codeOf } from '../lib/errors.ts'
import { reportCrash } from './command.ts'
import type { Context } from './context.ts'
import { main, type CommandLineProgram } from './main.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** An interrupt that came to the launcher, whether or not it came to this process too. */
const handedOn = 'SIGUSR2'

/** Runs the program on this process: its command line, streams, signals and exit code. Never calls `process.exit`. */
export async function runOnProcess(program: CommandLineProgram): Promise<void> {
  const argv = process.argv.slice(2)
  giveHome()
  const controller = new AbortController()
  const { env, stdin, stdout, stderr } = process
  const context: Context = { env, stdin, stdout, stderr, signal: controller.signal }
  abortOnSignals(controller)

  // `ma-bundle inspect … | head` closes our stdout, a closed terminal our stderr: nobody is left to read it.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever writes a bundle into the stream gets the error there.
      if (error.code !== 'EPIPE' && error.code !== 'EIO' && stream.listenerCount('error') === 1) throw error
    })
  }

  let crashed = false
  const crash = (error: unknown): void => {
    crashed = true
    process.exitCode = reportCrash(error, context, argv)
    controller.abort(error)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)

  const exitCode = await main(argv, context, program)
  if (!crashed) process.exitCode = exitCode
}

// --- internal ---

/**
 * Where nobody has a home, as in a container from scratch, the AWS SDK fails when it looks there for files that need
 * not be there: it asks the system, which throws.
 */
function giveHome(): void {
  try {
    homedir()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    process.env['HOME'] = '/'
  }
}

/**
 * The first Ctrl-C (or SIGTERM) asks the run to stop through this controller, so that files are closed and a later
 * run can continue. The second kills the process the way the system does. What the launcher hands on is counted apart:
 * a single Ctrl-C in a terminal arrives in both ways.
 */
function abortOnSignals(controller: AbortController): void {
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      for (const name of [...signals, handedOn]) process.removeAllListeners(name)
      process.kill(process.pid, signal)
      return
    }
    controller.abort(stopped())
  }
  for (const name of signals) process.on(name, stop)
  let isHandedOn = false
  process.on(handedOn, () => {
    if (isHandedOn || !controller.signal.aborted) stop('SIGINT')
    isHandedOn = true
  })
}

export const stopped = (): BundleError =>
  new BundleError('stopped', {
    kind: 'cancelled',
    next: 'run the same command again: what is done is not done twice',
  })
