import { BundleError } from '../lib/errors.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * The first Ctrl-C (or SIGTERM) asks the run to stop through this controller, so that files are closed and a later
 * run can continue. The second kills the process the way the system does.
 */
export function abortOnSignals(controller: AbortController): void {
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      for (const name of signals) process.removeAllListeners(name)
      process.kill(process.pid, signal)
      return
    }
    controller.abort(stopped())
  }
  for (const name of signals) process.on(name, stop)
}

export const stopped = (): BundleError =>
  new BundleError('stopped', {
    kind: 'cancelled',
    next: 'run the same command again: what is done is not done twice',
  })
