import type { ErrorKind } from '../../lib/errors.ts'
import type { RootKind } from './events.ts'

import { BundleError } from '../../lib/errors.ts'

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

  /** @param isOneCause the message says all there is to say: the failures need not be listed for people */
  constructor(
    message: string,
    failures: readonly Failure[],
    next?: string,
    readonly isOneCause = false,
  ) {
    super(message, { kind: commonKind(failures), ...(next === undefined ? {} : { next }) })
    this.failures = failures
  }
}

/**
 * Runs the task of every item whatever becomes of the others: what they gave, in the order of the items, and what
 * failed, named by `label`.
 */
export async function settleAll<Item, Value>(
  items: readonly Item[],
  task: (item: Item) => Promise<Value>,
  label: (item: Item) => Pick<Failure, 'kind' | 'name'>,
): Promise<{ readonly values: readonly Value[]; readonly failures: readonly Failure[] }> {
  const values: Value[] = []
  const failures: Failure[] = []
  const outcomes = await Promise.allSettled(items.map(async (item) => ({ value: await task(item) })))
  for (const [at, item] of items.entries()) {
    const outcome = outcomes[at]
    if (outcome?.status === 'fulfilled') values.push(outcome.value.value)
    else if (outcome !== undefined) failures.push({ ...label(item), error: outcome.reason })
  }
  return { values, failures }
}

// --- internal ---

function commonKind(failures: readonly Failure[]): ErrorKind {
  const kinds = new Set(failures.map(({ error }) => (error instanceof BundleError ? error.kind : 'failed')))
  const [only] = kinds
  return kinds.size === 1 && only !== undefined ? only : 'failed'
}
