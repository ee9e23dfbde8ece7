import { Agent } from 'node:https'
import { checkServerIdentity as isFor, type PeerCertificate, type SecureContext } from 'node:tls'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { proxyFor, type Env } from './proxy.ts'

export interface AgentOptions {
  /** Where proxies are looked up. */
  readonly env: Env
  /** The TLS context for a host, with its port when that is not 443. */
  readonly trust: (host: string) => SecureContext
  readonly maxSockets?: number
}

/**
 * An agent for a library that makes its https requests itself and knows neither our proxies nor whom we trust.
 * @param url where all requests through this agent go
 */
export function createAgent(url: URL, { env, trust, maxSockets = 64 }: AgentOptions): Agent {
  const proxy = proxyFor(url, env)
  const options = { keepAlive: true, maxSockets }
  if (proxy === undefined) return new Agent({ ...options, secureContext: trust(url.host) })
  const own = proxy.protocol === 'https:' ? { secureContext: trust(proxy.host) } : {}
  return new TunnelAgent(url, proxy, trust(url.host), { ...options, ...own })
}

// --- internal ---

/** `https-proxy-agent` gives its options to the connection with the proxy only; the far end has needs of its own. */
class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #far: object

  constructor(url: URL, proxy: URL, secureContext: SecureContext, options: object) {
    super(proxy.href, options)
    // Within a tunnel the socket's own end is the proxy, so the name to look for in the certificate is said here.
    const name = url.hostname.replace(/^\[|\]$/g, '')
    const checkServerIdentity = (_: string, certificate: PeerCertificate) => isFor(name, certificate)
    this.#far = { secureContext, checkServerIdentity }
  }

  override async connect(...[request, options]: Parameters<HttpsProxyAgent<string>['connect']>) {
    let status = 200
    request.once('proxyConnect', (tunnel: { statusCode: number }) => {
      status = tunnel.statusCode
    })
    const socket = await super.connect(request, Object.assign({}, options, this.#far))
    if (status === 200) return socket
    // Left alone, the proxy's own answer is taken for one from the far end.
    socket.destroy()
    const message = `the proxy ${this.proxy.host} answers ${status} to CONNECT`
    throw Object.assign(new Error(message), { code: 'ERR_PROXY_TUNNEL' })
  }
}
