import type { AgentOptions } from 'node:https'
import { checkServerIdentity as isFor, type PeerCertificate } from 'node:tls'
import { SocksProxyAgent } from 'socks-proxy-agent'
import { codeOf, messageOf } from '../errors.ts'
import { HttpError } from './error.ts'
import type { Trust } from './tls.ts'

/**
 * An agent for requests through a SOCKS 5 proxy, whose connections are kept and used again. The proxy looks names up,
 * for `socks5://` as for `socks5h://`, as Go's clients have it: beyond a bastion are names that only it knows.
 * https://www.rfc-editor.org/rfc/rfc1928
 * @param url where all requests through this agent go
 */
export function createSocksAgent(
  url: URL,
  proxy: URL,
  trust: Trust,
  options: Pick<AgentOptions, 'keepAlive' | 'maxFreeSockets'>,
): SocksProxyAgent {
  return new SocksAgent(url, proxy, url.protocol === 'https:' ? trust : undefined, options)
}

// --- internal ---

class SocksAgent extends SocksProxyAgent {
  readonly #url: URL
  readonly #proxy: URL
  readonly #far: object

  constructor(url: URL, proxy: URL, trust: Trust | undefined, options: object) {
    super(proxy, options)
    this.#url = url
    this.#proxy = proxy
    Object.assign(this, { shouldLookup: false })
    this.proxy.host = bare(proxy.hostname)
    const name = bare(url.hostname)
    // Within the connection the socket's own end is the proxy, so the name to look for in the certificate is given here.
    const checkServerIdentity = (_: string, certificate: PeerCertificate) => isFor(name, certificate)
    this.#far = trust === undefined ? {} : { secureContext: trust(url.host), checkServerIdentity }
  }

  override async connect(...[request, options]: Parameters<SocksProxyAgent['connect']>) {
    try {
      return await super.connect(request, Object.assign({}, options, this.#far))
    } catch (error) {
      throw refusal(error, this.#url.host, this.#proxy.host)
    }
  }
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/** The library has words only; the proxy's own code is one of them. */
const CODES: readonly (readonly [RegExp, string])[] = [
  [/ConnectionRefused/, 'ECONNREFUSED'],
  [/HostUnreachable/, 'EHOSTUNREACH'],
  [/NetworkUnreachable/, 'ENETUNREACH'],
  [/TTLExpired|timed out/, 'ETIMEDOUT'],
]

function refusal(error: unknown, host: string, proxy: string): HttpError {
  const words = messageOf(error)
  const make = (message: string, code: string, retryable: boolean, next: string): HttpError =>
    new HttpError(message, code, host, retryable, { cause: error, next })
  if (/authentication/i.test(words)) {
    const next = 'write the user and the password into the proxy variable, as user:password@ before its host'
    return make(`the SOCKS proxy ${proxy} does not take this login`, 'PROXY', false, next)
  }
  const code = CODES.find(([pattern]) => pattern.test(words))?.[1]
  if (code !== undefined) {
    const next = `see whether the machine behind the proxy reaches ${host}, or exempt it with NO_PROXY`
    return make(`${host} cannot be reached from the SOCKS proxy ${proxy} (${code})`, code, true, next)
  }
  const next = 'check that the proxy runs and speaks SOCKS 5 (ssh -D does), and that it allows this host'
  const own = codeOf(error)
  return make(`the SOCKS proxy ${proxy} gives no connection to ${host}: ${words}`, own ?? 'PROXY', true, next)
}
