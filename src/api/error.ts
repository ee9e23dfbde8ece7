import { describeFailure, type FailureReport, type RootFailure } from '../bundle/run/failure-report.ts'

/**
 * Every error that this package throws. It says what the command line would say, and holds no secret: a URL with a
 * signature in it is cut, and the original error does not hang on it.
 */
export class MaBundleError extends Error {
  override readonly name = 'MaBundleError'
  /** `bug` is one of this package; `cancelled` is your own signal. */
  readonly kind: FailureReport['kind']
  /** What the command line would end with: 1 failed or bug, 2 usage, 3 auth, 4 network, 5 integrity, 130 cancelled. */
  readonly exitCode: number
  /** Where it happened: an option, a file, a source or a destination. */
  readonly where: string | undefined
  /** What to do next, one sentence. */
  readonly next: string | undefined
  /** Messages of the causes, nearest first. */
  readonly causes: readonly string[]
  /** Every image, chart or file that failed, worst first; empty when it was not about single ones. */
  readonly failures: readonly RootFailure[]

  constructor({ kind, exitCode, message, where, next, causes, failures }: FailureReport) {
    super(message)
    this.kind = kind
    this.exitCode = exitCode
    this.where = where
    this.next = next
    this.causes = causes
    this.failures = failures ?? []
  }
}

/** Runs a task; whatever it throws is thrown as a `MaBundleError`. */
export async function speaking<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
  try {
    return await task()
  } catch (error) {
    if (error instanceof MaBundleError) throw error
    throw new MaBundleError(describeFailure(error, signal.aborted))
  }
}
