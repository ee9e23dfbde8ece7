import type { IncomingMessage } from 'node:http'
import type { Bytes } from '../bytes/bytes.ts'
import { BundleError } from '../errors.ts'
import { explain, HttpError, StaleConnection } from './error.ts'
import type { Route } from './route.ts'
import { sendBody, sized } from './send.ts'
import type { HttpRequest, HttpResponse } from './message.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

export interface ExchangeLimits {
  readonly stallMs: number
  readonly userAgent: string
}

/** Sends the request over its route and resolves when the head of the answer is there. */
export function exchange(request: HttpRequest, route: Route, limits: ExchangeLimits): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const { signal } = request
    if (signal?.aborted === true) {
      reject(cancelled(signal))
      return
    }
    const body = sized(request.body)
    const sent = route.start({
      method: request.method,
      headers: {
        'user-agent': limits.userAgent,
        'accept-encoding': 'identity',
        ...(body === undefined ? {} : { 'content-length': String(body.size) }),
        ...request.headers,
      },
    })
    const progress = { written: 0 }
    let over = false
    let answer: IncomingMessage | undefined
    /** Why the exchange was ended from this side; what the socket says about it afterwards is no news. */
    let reason: unknown
    const end = (why: unknown): void => {
      reason ??= why
      sent.destroy()
      answer?.destroy()
      if (answer === undefined) reject(reason)
    }
    let connected = false
    const watchdog = createWatchdog(limits.stallMs, (waited) => end(stalled(route, waited, connected)))
    const connect = (): void => {
      connected = true
      watchdog.renew()
    }
    const abort = (): void => end(signal === undefined ? undefined : cancelled(signal))
    signal?.addEventListener('abort', abort, { once: true })
    const finished = (): void => {
      watchdog.stop()
      signal?.removeEventListener('abort', abort)
      // An answer that came before the end of the upload leaves a connection nobody can use again.
      if (!sent.writableFinished) sent.destroy()
    }
    const why = (error: unknown): unknown => reason ?? explain(error, route)

    sent.on('error', (error) => {
      over = true
      if (answer !== undefined) return
      finished()
      const shown = why(error)
      const early = sent.reusedSocket && (progress.written <= EARLY || body === undefined)
      const stale = early && reason === undefined && shown instanceof HttpError && shown.retryable
      reject(
        stale ? new StaleConnection(shown.message, shown.code, shown.host, true, { cause: error }) : shown,
      )
    })
    sent.on('socket', (socket) => {
      // Fewer seconds for a connection than for an answer: a firewall that drops packets never says no.
      if (socket.connecting) socket.once('connect', connect)
      else connect()
    })
    sent.on('close', () => {
      over = true
      if (answer !== undefined) return
      finished()
      reject(why(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })))
    })
    sent.on('proxyConnect', (tunnel: { statusCode: number; statusText?: string }) => {
      if (tunnel.statusCode !== 200) end(refusedBy(route, tunnel.statusCode))
    })
    sent.on('response', (message) => {
      answer = message
      watchdog.rest()
      message.on('close', finished)
      if (route.forwarded && message.statusCode === 407) {
        reject(refusedBy(route, 407))
        end(undefined)
        return
      }
      const crawl = createCrawl(route, limits.stallMs)
      resolve(toResponse(request, route, message, { watchdog, crawl, end, why }))
    })

    watchdog.wait(Math.min(limits.stallMs, CONNECT_MS))
    if (body === undefined) sent.end()
    else {
      sendBody(
        sent,
        body,
        () => answer !== undefined || reason !== undefined || over,
        watchdog,
        limits.stallMs,
        progress,
      ).catch((error: unknown) => {
        end(error)
        if (answer === undefined) reject(error)
      })
    }
  })
}

// --- internal ---

/** Three lost packets are repeated within it; whoever needs longer is not there. */
const CONNECT_MS = 9_000
/** What a socket takes before it learns that the other side has gone: less was sent, so nothing of it arrived. */
const EARLY = 4 * 1024 * 1024
/** A body no longer than this is read to its end, so that the connection can be used again. */
const DRAIN = 64 * 1024
/** Bytes; the slowest modem sends them within a second. */
const LEAST = 1024

const cancelled = (signal: AbortSignal): BundleError =>
  signal.reason instanceof BundleError ? signal.reason : new BundleError('cancelled', { kind: 'cancelled' })

function toResponse(
  request: HttpRequest,
  route: Route,
  message: IncomingMessage,
  guard: Guard,
): HttpResponse {
  const body = read(message, guard)
  return {
    status: message.statusCode ?? 0,
    url: request.url,
    headers: headersOf(message),
    ...(route.forwarded && route.proxy !== undefined ? { proxy: route.proxy } : {}),
    body,
    text: (limit = DRAIN) => textOf(body, limit),
    async discard() {
      await textOf(body, DRAIN)
    },
  }
}

/** What watches over a body while it comes. */
interface Guard {
  readonly watchdog: Watchdog
  readonly crawl: (waitedMs: number, bytes: number) => HttpError | undefined
  readonly end: (why: unknown) => void
  readonly why: (error: unknown) => unknown
}

async function* read(message: IncomingMessage, { watchdog, crawl, end, why }: Guard): Bytes {
  let whole = false
  try {
    watchdog.wait()
    let since = performance.now()
    for await (const chunk of message) {
      watchdog.rest()
      const bytes = chunk as Uint8Array
      const slow = crawl(performance.now() - since, bytes.length)
      if (slow !== undefined) {
        end(slow)
        throw slow
      }
      yield bytes
      watchdog.wait()
      since = performance.now()
    }
    whole = true
  } catch (error) {
    throw why(error)
  } finally {
    watchdog.stop()
    if (!whole) end(undefined)
  }
}

/** A body that drips byte by byte would never stall, and never end: two patiences may pass for a KiB. */
function createCrawl(route: Route, stallMs: number): Guard['crawl'] {
  let waited = 0
  let moved = 0
  return (waitedMs, bytes) => {
    waited += waitedMs
    moved += bytes
    if (moved >= LEAST) waited = moved = 0
    if (waited < stallMs * 2) return undefined
    const seconds = Math.round(waited / 1000)
    const next = 'check the network; what answers there sends next to nothing'
    return new HttpError(`${route.host}: ${moved} bytes in ${seconds} s`, 'STALLED', route.host, true, {
      next,
    })
  }
}

async function textOf(body: Bytes, limit: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let left = limit
  for await (const chunk of body) {
    chunks.push(chunk.subarray(0, left))
    left -= chunk.length
    if (left < 0) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

function headersOf(message: IncomingMessage): Headers {
  const headers = new Headers()
  const raw = message.rawHeaders
  for (let at = 0; at + 1 < raw.length; at += 2) headers.append(raw[at] ?? '', raw[at + 1] ?? '')
  return headers
}

function stalled(route: Route, waitedMs: number, connected: boolean): unknown {
  const seconds = Math.round(waitedMs / 1000)
  if (!connected) return explain(Object.assign(new Error(`after ${seconds} s`), { code: 'ETIMEDOUT' }), route)
  const at = route.proxy === undefined ? route.host : `${route.host} (through the proxy ${route.proxy})`
  const next = 'check the network and the firewall; on a slow line, lower --concurrency'
  return new HttpError(`${at}: no byte for ${seconds} s`, 'STALLED', route.host, true, { next })
}

const refusedBy = (route: Route, status: number): HttpError =>
  new HttpError(
    `the proxy ${route.proxy ?? ''} answered ${status} instead of connecting to ${route.host}`,
    'PROXY',
    route.host,
    status === 429 || status >= 500,
    {
      next:
        status === 407
          ? 'the proxy requires a user and a password; write them into HTTPS_PROXY, as user:password@ before its host'
          : 'ask who runs the proxy whether it allows this host, or exempt the host with NO_PROXY',
    },
  )
