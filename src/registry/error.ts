import { BundleError, type ErrorKind } from '../lib/errors.ts'
import { HttpError } from '../lib/http/error.ts'
import type { HttpResponse } from '../lib/http/client.ts'
import { retryAfter } from '../lib/retry.ts'
import { redactUrl } from '../lib/url.ts'
import { adviceFor } from './advice.ts'
import { readWords, type RegistryErrorEntry } from './error-body.ts'

export interface RegistryErrorFacts {
  readonly method: string
  /** With neither query nor user. */
  readonly url: string
  readonly status: number
  readonly errors: readonly RegistryErrorEntry[]
  /** The registry's own words, as one line; empty when it gave none. */
  readonly words: string
  /** Milliseconds the registry asked to wait. */
  readonly waitMs?: number | undefined
  /** Overrules what the status says. */
  readonly retryable?: boolean
}

/** A registry answered, but not with what was asked for. The message carries its own words. */
export class RegistryError extends BundleError {
  override readonly name = 'RegistryError'
  readonly method: string
  readonly url: string
  readonly status: number
  readonly errors: readonly RegistryErrorEntry[]
  readonly words: string
  readonly waitMs: number | undefined
  /** Whether the same request may succeed later. A used-up pull quota comes back in hours: nothing to wait for. */
  readonly retryable: boolean

  constructor(
    message: string,
    readonly facts: RegistryErrorFacts,
    more: { kind?: ErrorKind; where?: string; next?: string } = {},
  ) {
    super(message, { kind: kindOf(facts.status), ...more })
    this.method = facts.method
    this.url = facts.url
    this.status = facts.status
    this.errors = facts.errors
    this.words = facts.words
    this.waitMs = facts.waitMs
    this.retryable = facts.retryable ?? (isTransient(facts.status) && !this.isQuota)
  }

  /** Docker Hub's pull limit, as opposed to its (and everybody's) limit of requests per second. */
  get isQuota(): boolean {
    return this.status === 429 && /pull rate limit|data limit|quota/i.test(this.words)
  }

  /** ECR answers an expired token with 403 and these words; others with 401. */
  get isExpired(): boolean {
    return this.status === 401 || (this.status === 403 && /expired|reauthenticate/i.test(this.words))
  }

  /** The same failure, of which it is known that another try makes sense. */
  again(): RegistryError {
    const { where, next, kind } = this
    return new RegistryError(
      this.message,
      { ...this.facts, retryable: true },
      { kind, ...(where === undefined ? {} : { where }), ...(next === undefined ? {} : { next }) },
    )
  }

  has(code: string): boolean {
    return this.errors.some((entry) => entry.code === code)
  }
}

/**
 * Builds the error for an answer, reading at most 64 KiB of its body.
 * @param where what was wanted, in the user's words
 * @param asker the registry by its name in references, which is what people log in to: Docker Hub answers, and hands
 *   out tokens, from hosts of other names
 */
export async function errorFrom(
  method: string,
  response: HttpResponse,
  where: string,
  asker: { readonly registry: string; readonly authenticated: boolean },
): Promise<RegistryError> {
  const { status, headers } = response
  const body = await response.text().catch((error: unknown) => {
    // The status is known and says more than that its explanation was cut off.
    if (error instanceof HttpError) return ''
    throw error
  })
  const { errors, words } = readWords(body, headers.get('content-type') ?? '')
  const waitMs = retryAfter(headers)
  const url = redactUrl(response.url)
  const facts = { method, url, status, errors, words, ...(waitMs === undefined ? {} : { waitMs }) }
  const error = new RegistryError(
    `${speaker(response)} ${status} to ${method} ${url}${words === '' ? '' : `: ${words}`}`,
    facts,
    {
      where,
    },
  )
  const advice = adviceFor({ ...facts, ...asker })
  if (advice === undefined) return error
  const { next, kind, isFinal } = advice
  const known = isFinal === true ? { ...facts, retryable: false } : facts
  return new RegistryError(error.message, known, { where, next, ...(kind === undefined ? {} : { kind }) })
}

/** 408 and 429 say so; 499, 520-524 and 530 are what CDNs answer when the registry behind them did not. */
export const isTransient = (status: number): boolean =>
  status === 408 ||
  status === 425 ||
  status === 429 ||
  status === 499 ||
  (status >= 500 && status !== 501 && status !== 505)

/** Whether the registry says that what was asked for is not there. */
export const isGone = (error: unknown): boolean => error instanceof RegistryError && error.status === 404

// --- internal ---

function kindOf(status: number): ErrorKind {
  if (status === 401 || status === 403 || status === 407) return 'auth'
  return isTransient(status) ? 'network' : 'failed'
}

/** Behind a forward proxy, an error that bears no mark of a registry is taken to be the proxy's. */
function speaker({ url, proxy, status, headers }: HttpResponse): string {
  const { host } = new URL(url)
  if (proxy === undefined) return `${host} answered`
  const own = headers.has('docker-distribution-api-version')
  if (!own && [502, 503, 504].includes(status)) return `the proxy ${proxy} answered for ${host}`
  return `${host} (through the proxy ${proxy}) answered`
}
