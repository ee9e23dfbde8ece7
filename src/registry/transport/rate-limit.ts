/** A quota as a host reports it. */
export interface RateLimit {
  readonly limit?: number
  readonly remaining?: number
  readonly windowSeconds?: number
}

/**
 * `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600`; undefined for a host that does not meter.
 * https://docs.docker.com/docker-hub/usage/pulls/
 */
export function readRateLimit(headers: Headers): RateLimit | undefined {
  const limit = parse(headers.get('ratelimit-limit'))
  const remaining = parse(headers.get('ratelimit-remaining'))
  if (limit === undefined && remaining === undefined) return undefined
  const windowSeconds = remaining?.window ?? limit?.window
  return {
    ...(limit === undefined ? {} : { limit: limit.count }),
    ...(remaining === undefined ? {} : { remaining: remaining.count }),
    ...(windowSeconds === undefined ? {} : { windowSeconds }),
  }
}

/** Milliseconds to wait because nothing remains of a short window. Hours (a pull quota) are not waited for. */
export function resetAfter(headers: Headers): number {
  const remaining = parse(headers.get('ratelimit-remaining') ?? headers.get('x-ratelimit-remaining'))
  const reset = parse(headers.get('ratelimit-reset') ?? headers.get('x-ratelimit-reset'))
  if (remaining?.count !== 0 || reset === undefined) return 0
  // Some give the moment (seconds since 1970), some the seconds until then.
  const seconds = reset.count > 1e9 ? reset.count - Date.now() / 1000 : reset.count
  return seconds > 0 && seconds <= LONGEST_SECONDS ? seconds * 1000 : 0
}

// --- internal ---

const LONGEST_SECONDS = 120

function parse(value: string | null): { count: number; window?: number } | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)(?:.*?;\s*w=(\d+))?/.exec(value ?? '')
  if (match === null) return undefined
  return { count: Number(match[1]), ...(match[2] === undefined ? {} : { window: Number(match[2]) }) }
}
