/** What kind of failure ended a piece of work. The command layer maps each kind to its own exit code. */
export type ErrorKind = 'failed' | 'usage' | 'auth' | 'network' | 'integrity' | 'cancelled'

export interface ErrorFacts {
  readonly kind: ErrorKind
  /** Where it happened, in the user's words: `source quay.io/x/y:1`, `destination …`, a file name, a flag. */
  readonly where?: string
  /** What to do next: one sentence, without the final full stop. */
  readonly next?: string
  readonly cause?: unknown
}

/**
 * A failure that a person is meant to read: what failed (`message`), where, and what to do next.
 * Anything else that is thrown is a bug in this program. Never put a secret, a presigned query or a host path
 * of another machine into one.
 */
export class BundleError extends Error {
  override readonly name: string = 'BundleError'
  readonly kind: ErrorKind
  readonly where: string | undefined
  readonly next: string | undefined

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.kind = facts.kind
    this.where = facts.where
    this.next = facts.next
  }
}

/** Bad flag, bad spec, bad file name: the user's to fix. */
export const usageError = (message: string, facts: Omit<ErrorFacts, 'kind'> = {}): BundleError =>
  new BundleError(message, { ...facts, kind: 'usage' })

/** Bytes that are not what their digest, size or format says. */
export const integrityError = (message: string, facts: Omit<ErrorFacts, 'kind'> = {}): BundleError =>
  new BundleError(message, { ...facts, kind: 'integrity' })

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The system error code (`ENOSPC`, `ECONNREFUSED`) of an error or of the first cause that has one. */
export function codeOf(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code
  }
  return undefined
}
