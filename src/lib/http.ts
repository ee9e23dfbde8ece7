import manifest from '../../package.json' with { type: 'json' }
import type { Bytes } from './bytes.ts'
import { StaleConnection } from './http-error.ts'
import { exchange } from './http-exchange.ts'
import { createRoutes } from './http-route.ts'
import type { TrustOptions } from './tls.ts'

/** Content of a known length; `open` gives it from its first byte. */
export interface SizedBody {
  readonly size: number
  readonly open: () => Promise<Bytes>
}

export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Always sent with an exact Content-Length. */
  readonly body?: Uint8Array | SizedBody
  readonly signal?: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  /** As asked. */
  readonly url: string
  readonly headers: Headers
  /** The proxy (host and port) that passed a plain-http exchange on, and may be who speaks here. */
  readonly proxy?: string
  /** The bytes as sent, nothing decoded. To be read to its end, left by `break`, or given up with `discard`. */
  readonly body: Bytes
  /** At most `limit` bytes (64 KiB) of the body as UTF-8; the rest is let go. */
  text(limit?: number): Promise<string>
  /** Lets the body go. */
  discard(): Promise<void>
}

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
