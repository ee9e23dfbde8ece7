import { Agent } from 'node:https'
import type { SecureContext } from 'node:tls'
import type { NodeHttpHandlerOptions } from '@smithy/types'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { proxyFor, type Env } from '../lib/proxy.ts'
import { createTrust } from '../lib/tls.ts'

/** The TLS context for a host. */
export type Trust = (host: string) => SecureContext

export interface ConnectionOptions {
  readonly env: Env
  /** By host (with port); `createTrust({ env })` unless given. */
  readonly trust?: Trust
}

/**
 * How the SDK connects to `endpoint`. By itself it ignores proxies, and certificates can only be given to the agent.
 */
export function connectionTo(endpoint: string, { env, trust }: ConnectionOptions): NodeHttpHandlerOptions {
  const url = new URL(endpoint)
  const timeouts = { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS }
  if (url.protocol !== 'https:') return timeouts
  const secureContext = (trust ?? createTrust({ env }))(url.port === '' ? `${url.host}:443` : url.host)
  const options = { keepAlive: true, maxSockets: SOCKETS, secureContext }
  const proxy = proxyFor(url, env)
  return {
    ...timeouts,
    httpsAgent: proxy === undefined ? new Agent(options) : new TrustingProxyAgent(proxy, options),
  }
}

// --- internal ---

const CONNECT_MS = 10_000
/** Without a byte in either direction. The longest silence is that of CompleteLayerUpload over a layer of many GB. */
const IDLE_MS = 180_000
const SOCKETS = 64

/** `https-proxy-agent` gives its options to the connection with the proxy only; the far end needs the trust too. */
class TrustingProxyAgent extends HttpsProxyAgent<string> {
  readonly #secureContext: SecureContext

  constructor(proxy: URL, options: { readonly secureContext: SecureContext }) {
    super(proxy, options)
    this.#secureContext = options.secureContext
  }

  override async connect(...[request, options]: Parameters<HttpsProxyAgent<string>['connect']>) {
    let status = 200
    request.once('proxyConnect', (tunnel: { statusCode: number }) => {
      status = tunnel.statusCode
    })
    const trusting = { ...options, secureContext: this.#secureContext } as typeof options
    const socket = await super.connect(request, trusting)
    if (status === 200) return socket
    // Left alone, the proxy's own answer is taken for one of AWS.
    socket.destroy()
    const message = `the proxy ${this.proxy.host} answers ${status} to CONNECT`
    throw Object.assign(new Error(message), { code: 'ERR_PROXY_TUNNEL' })
  }
}
