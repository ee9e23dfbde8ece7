import { Agent } from 'node:https'
import type { SecureContext } from 'node:tls'
import { proxyFor, type Env } from './proxy.ts'
import { createTunnelAgent } from './tunnel.ts'

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
  return createTunnelAgent(url, proxy, trust, options)
}
