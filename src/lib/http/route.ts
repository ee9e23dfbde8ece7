import http, { type ClientRequest, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { Peer } from './error.ts'
import { isSocks, proxyFor, type Env } from './proxy.ts'
import { createSocksAgent } from './socks.ts'
import { createTrust, type TrustOptions } from './tls.ts'
import { createTunnelAgent } from './tunnel.ts'

/** How to start requests to one URL: directly, through a CONNECT tunnel, or by asking a forward proxy. */
export interface Route extends Peer {
  /** Whether the proxy sees, and may answer, the exchange itself. */
  readonly forwarded: boolean
  start(options: { method: string; headers: Record<string, string> }): ClientRequest
}

/** Connections are kept alive and shared per host; how many there are at once is the caller's to limit. */
const KEEP_ALIVE = { keepAlive: true, maxFreeSockets: 64 }
/** Presigned redirects and cookies of CDNs go over node's 16 KiB; more than this is no registry. */
const MAX_HEADERS = 64 * 1024

export function createRoutes(options: TrustOptions): (url: URL) => Route {
  const env: Env = options.env ?? {}
  const trust = createTrust(options)
  const plain = new http.Agent(KEEP_ALIVE)
  const secure = new Map<string, https.Agent>()
  const tunnels = new Map<string, https.Agent>()
  const sockets = new Map<string, https.Agent>()

  const direct = (url: URL): Route => ({
    host: url.host,
    forwarded: false,
    start: (request) => {
      const common = { ...request, maxHeaderSize: MAX_HEADERS }
      if (url.protocol === 'http:') return http.request(url, { ...common, agent: plain })
      const context = trust(url.host)
      // One pool of connections per host, because the context (whose client certificate is shown) is per host.
      const agent = keep(secure, url.host, () => new https.Agent({ ...KEEP_ALIVE, secureContext: context }))
      return https.request(url, { ...common, agent })
    },
  })

  const tunnel = (url: URL, proxy: URL): Route => ({
    host: url.host,
    proxy: proxy.host,
    forwarded: false,
    start: (request) => {
      const agent = keep(tunnels, `${url.host} ${proxy.href}`, () =>
        createTunnelAgent(url, proxy, trust, KEEP_ALIVE),
      )
      return https.request(url, { ...request, agent, maxHeaderSize: MAX_HEADERS })
    },
  })

  /** One connection after the other through the same proxy; the far end does not know of it, nor the proxy of HTTP. */
  const socks = (url: URL, proxy: URL): Route => ({
    host: url.host,
    proxy: proxy.host,
    forwarded: false,
    start: (request) => {
      const agent = keep(sockets, `${url.host} ${proxy.href}`, () =>
        createSocksAgent(url, proxy, trust, KEEP_ALIVE),
      )
      const common = { ...request, agent, maxHeaderSize: MAX_HEADERS }
      return url.protocol === 'https:' ? https.request(url, common) : http.request(url, common)
    },
  })

  const forward = (url: URL, proxy: URL): Route => ({
    host: url.host,
    proxy: proxy.host,
    forwarded: true,
    start: ({ method, headers }) => {
      // https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2 absolute-form
      const ask: RequestOptions = {
        method,
        headers: { ...headers, host: url.host, ...proxyAuthorization(proxy) },
        hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
        port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : Number(proxy.port),
        path: `${url.protocol}//${url.host}${url.pathname}${url.search}`,
        maxHeaderSize: MAX_HEADERS,
      }
      if (proxy.protocol === 'http:') return http.request({ ...ask, agent: plain })
      const context = trust(proxy.host)
      const agent = keep(secure, proxy.host, () => new https.Agent({ ...KEEP_ALIVE, secureContext: context }))
      return https.request({ ...ask, agent })
    },
  })

  return (url) => {
    const proxy = proxyFor(url, env)
    if (proxy === undefined) return direct(url)
    if (isSocks(proxy)) return socks(url, proxy)
    return url.protocol === 'https:' ? tunnel(url, proxy) : forward(url, proxy)
  }
}

// --- internal ---

function keep<T>(map: Map<string, T>, key: string, make: () => T): T {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {}
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}
