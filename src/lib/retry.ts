import { BundleError } from './errors.ts'

export interface RetryPolicy {
  /** Failures in a row that are borne, without any progress in between (default 6); twice as many when a host asks for patience. */
  readonly attempts: number
  /** Milliseconds of the first wait; it doubles up to `maxMs`. */
  readonly baseMs: number
  readonly maxMs: number
  /** A host that asks to wait for longer than this is not waited for. */
  readonly maxAskedMs: number
}

export const DEFAULT_POLICY: RetryPolicy = { attempts: 6, baseMs: 500, maxMs: 30_000, maxAskedMs: 300_000 }

/** What a failure says about trying again. */
export interface RetryVerdict {
  readonly retryable: boolean
  /** The host asked for patience (429), so it is alive and more tries make sense. */
  readonly asked?: boolean
  /** Milliseconds the host asked to wait. */
  readonly waitMs?: number
  /** Fewer tries than the policy allows, for what is most likely hopeless. */
  readonly attempts?: number
}

/** Bears the failures of one piece of work. */
export interface Patience {
  /** Waits before the next try, or throws `error` when it is hopeless or the tries are used up. */
  after(error: unknown): Promise<void>
  /** Something got through: the tries count from the start again. */
  progressed(): void
}

export interface PatienceOptions {
  readonly judge: (error: unknown) => RetryVerdict
  readonly policy?: Partial<RetryPolicy>
  readonly signal?: AbortSignal
  readonly onRetry?: (attempt: number, waitMs: number, error: unknown) => void
}

export function createPatience({ judge, policy, signal, onRetry }: PatienceOptions): Patience {
  const { attempts, baseMs, maxMs, maxAskedMs } = { ...DEFAULT_POLICY, ...policy }
  let failures = 0
  return {
    async after(error) {
      const verdict = judge(error)
      failures += 1
      const allowed = Math.min(verdict.attempts ?? Infinity, verdict.asked === true ? attempts * 2 : attempts)
      const asked = verdict.waitMs ?? 0
      if (!verdict.retryable || failures >= allowed || asked > maxAskedMs || signal?.aborted === true)
        throw error
      // Jitter on top of the wait that was requested, so that those who were sent away together do not come back together.
      const waitMs = Math.round(asked + backoff(failures, baseMs, maxMs))
      onRetry?.(failures, waitMs, error)
      await sleep(waitMs, signal)
    },
    progressed() {
      failures = 0
    },
  }
}

/** Runs `task` until it succeeds or its failure is final. */
export async function retry<T>(patience: Patience, task: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await task()
    } catch (error) {
      await patience.after(error)
    }
  }
}

/** Between half and all of base·2ⁿ⁻¹, bounded. https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/ */
export function backoff(failures: number, baseMs: number, maxMs: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** (failures - 1))
  return full / 2 + (Math.random() * full) / 2
}

/**
 * Milliseconds that `Retry-After` asks for, given in seconds or as a date.
 * https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function retryAfter(headers: Headers, now = Date.now()): number | undefined {
  const value = headers.get('retry-after')?.trim()
  if (value === undefined || value === '') return undefined
  if (/^\d+(?:\.\d+)?$/.test(value)) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** @throws a `cancelled` error when the signal is aborted */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      const reason: unknown = signal?.reason
      reject(reason instanceof BundleError ? reason : new BundleError('cancelled', { kind: 'cancelled' }))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}
