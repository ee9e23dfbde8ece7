import type { ErrorKind } from '../lib/errors.ts'
import type { RootKind } from './events.ts'

import { BundleError } from '../lib/errors.ts'

/** One root that could not be resolved, fetched or pushed. */
export interface Failure {
  readonly kind: RootKind
  /** As the spec names it. */
  readonly name: string
  readonly error: unknown
}

/**
 * Everything that failed in a run which went on with the rest. Its kind, and so the exit code, is that of the
 * failures when they all are of one kind, else `failed`.
 */
export class FailuresError extends BundleError {
  override readonly name = 'FailuresError'
  readonly failures: readonly Failure[]

  constructor(message: string, failures: readonly Failure[], next?: string) {
    super(message, { kind: commonKind(failures), ...(next === undefined ? {} : { next }) })
    this.failures = failures
  }
}

// --- internal ---

function commonKind(failures: readonly Failure[]): ErrorKind {
  const kinds = new Set(failures.map(({ error }) => (error instanceof BundleError ? error.kind : 'failed')))
  const [only] = kinds
  return kinds.size === 1 && only !== undefined ? only : 'failed'
}
