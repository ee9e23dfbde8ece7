import type { AgentOptions } from 'node:https'
import { checkServerIdentity as isFor, type PeerCertificate, type SecureContext } from 'node:tls'
import { HttpsProxyAgent } from 'https-proxy-agent'

/**
 * An agent for https requests through CONNECT tunnels of a proxy, which it keeps and uses again.
 * @param url where all requests through this agent go
 * @param trust the TLS context for a host, with its port when that is not 443
 */
export function createTunnelAgent(
  url: URL,
  proxy: URL,
  trust: (host: string) => SecureContext,
  options: Pick<AgentOptions, 'keepAlive' | 'maxFreeSockets' | 'maxSockets'>,
): HttpsProxyAgent<string> {
  const own = proxy.protocol === 'https:' ? { secureContext: trust(proxy.host) } : {}
  return new TunnelAgent(url, proxy, trust(url.host), { ...options, ...own })
}

// --- internal ---

/**
 * `https-proxy-agent` gives its options to the connection with the proxy only; the far end has needs of its own. They
 * are kept here, because with a `checkServerIdentity` among the options of a request Bun uses no tunnel twice.
 */
class TunnelAgent extends HttpsProxyAgent<string> {
  readonly #far: object

  constructor(url: URL, proxy: URL, secureContext: SecureContext, options: object) {
    super(proxy.href, options)
    // Within a tunnel the socket's own end is the proxy, so the name to look for in the certificate is set here.
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
