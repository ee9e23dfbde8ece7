import { BundleError } from '../../lib/errors.ts'

/** One thing that has to be right for an import, and how it stands. */
export interface Check {
  readonly name: string
  /** `warn`: the import may work, but something is off or could not be found out. */
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do: one sentence without the final full stop. */
  readonly fix?: string
}

export const ok = (name: string, detail: string): Check => ({ name, status: 'ok', detail })

export const warn = (name: string, detail: string, fix?: string): Check => ({
  name,
  status: 'warn',
  detail,
  ...(fix === undefined ? {} : { fix }),
})

export const fail = (name: string, detail: string, fix?: string): Check => ({
  name,
  status: 'fail',
  detail,
  ...(fix === undefined ? {} : { fix }),
})

/** A failure as a check; a bug or a cancellation goes on its way. */
export function failed(
  name: string,
  error: unknown,
  as: (...args: Parameters<typeof fail>) => Check = fail,
): Check {
  if (error instanceof BundleError && error.kind !== 'cancelled') return as(name, error.message, error.next)
  throw error
}
