import manifest from '../../../package.json' with { type: 'json' }
import { StaleConnection } from './error.ts'
import { exchange } from './exchange.ts'
import type { HttpRequest, HttpResponse } from './message.ts'
import { createRoutes } from './route.ts'
import type { TrustOptions } from './tls.ts'

export type { HttpRequest, HttpResponse } from './message.ts'

/**
 * One exchange: no retry (but on a connection the host had closed already), no redirect followed, nothing decoded.
 * There is no limit to the time it takes as long as bytes flow.
 * @throws HttpError when there is no answer, a `cancelled` error when the signal is aborted
 */
export type Http = (request: HttpRequest) => Promise<HttpResponse>

export interface HttpOptions extends TrustOptions {
  /** Give up when no byte moves for so long (default 60). The pauses of a slow consumer do not count. */
  readonly stallSeconds?: number
  readonly userAgent?: string
}

/**
 * The only way of this program to the network. It stands on node:http(s), because Bun's fetch has no backpressure
 * through CONNECT proxies, decodes bodies, obeys proxy variables of its own accord, and is no faster.
 * @param options `env` is where proxies and CA files are looked up
 */
export function createHttp(options: HttpOptions = {}): Http {
  const routeTo = createRoutes(options)
  const stallMs = (options.stallSeconds ?? 60) * 1000
  const userAgent = options.userAgent ?? `ma-bundle/${manifest.version}`
  return async (request) => {
    const route = routeTo(new URL(request.url))
    for (let tries = 1; ; tries += 1) {
      try {
        return await exchange(request, route, { stallMs, userAgent })
      } catch (error) {
        if (!(error instanceof StaleConnection) || tries > STALE_TRIES) throw error
      }
    }
  }
}

// --- internal ---

/** Several kept connections may have been closed at once. */
const STALE_TRIES = 3
