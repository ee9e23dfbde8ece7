import type { Emit } from '../../lib/events.ts'
import type { Http, HttpRequest, HttpResponse } from '../../lib/http/client.ts'
import { retryAfter } from '../../lib/retry.ts'
import type { RegistryEvent } from '../events.ts'
import { createGate, type Gate } from './pace.ts'
import { readRateLimit, resetAfter, type RateLimit } from './rate-limit.ts'

export interface TrafficOptions {
  readonly http: Http
  readonly emit: Emit<RegistryEvent>
  readonly signal?: AbortSignal
  readonly concurrencyPerHost: number
}

/** All exchanges with all hosts, each at the pace its host bears. */
export interface Traffic {
  /**
   * @param lane requests with a quota of their own at the host are paced apart from the others
   * @param inTurn the request as it is sent when its turn has come; must not wait for another exchange
   */
  exchange(
    request: HttpRequest,
    lane?: string,
    inTurn?: (request: HttpRequest) => Promise<HttpRequest>,
  ): Promise<HttpResponse>
  hasAnswered(host: string): boolean
  rateLimit(host: string): RateLimit | undefined
}

export function createTraffic({ http, emit, signal, concurrencyPerHost }: TrafficOptions): Traffic {
  const hosts = new Map<string, Map<string, Gate>>()
  const limits = new Map<string, RateLimit>()
  const answered = new Set<string>()

  const lanesOf = (host: string): Map<string, Gate> => {
    const lanes = hosts.get(host) ?? new Map<string, Gate>()
    hosts.set(host, lanes)
    return lanes
  }
  const gateOf = (host: string, lane: string): Gate => {
    const lanes = lanesOf(host)
    const gate = lanes.get(lane) ?? createGate(concurrencyPerHost)
    lanes.set(lane, gate)
    return gate
  }

  return {
    async exchange(request, lane = laneOf(request), inTurn = (same) => Promise.resolve(same)) {
      const { host } = new URL(request.url)
      const gate = gateOf(host, lane)
      return gate.run(async () => {
        const ready = await inTurn(request)
        const startedAt = performance.now()
        const response = await http(signal === undefined ? ready : { ...ready, signal })
        answered.add(host)
        const limit = readRateLimit(response.headers)
        if (limit !== undefined) limits.set(host, limit)
        if (response.status === 429) gate.throttled(startedAt)
        else gate.succeeded()
        const waitMs = askedToWait(response)
        if (waitMs > 0) {
          for (const each of lanesOf(host).values()) each.pause(waitMs)
          emit({ type: 'throttle', host, waitMs, reason: reasonFor(response) })
        }
        return response
      }, signal)
    },
    hasAnswered: (host) => answered.has(host),
    rateLimit: (host) => limits.get(host),
  }
}

// --- internal ---

/** Whoever asks for more is not waited for; its requests fail. */
const LONGEST_PAUSE_MS = 300_000

/**
 * Uploads hold their turn until they are answered, and their content may come from the same host: were they in one
 * line with downloads, each could wait for the other.
 */
const laneOf = ({ body }: HttpRequest): string =>
  body === undefined || body instanceof Uint8Array ? 'request' : 'upload'

function askedToWait({ status, headers }: HttpResponse): number {
  const busy = status === 429 || status === 503
  const waitMs = busy ? (retryAfter(headers) ?? 0) : resetAfter(headers)
  return waitMs <= LONGEST_PAUSE_MS ? waitMs : 0
}

const reasonFor = ({ status }: HttpResponse): string =>
  status === 429 || status === 503
    ? `answered ${status} with Retry-After`
    : 'no requests remain in its window'
