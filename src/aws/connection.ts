import type { ECRClientConfig } from '@aws-sdk/client-ecr'
import type { SecureContext } from 'node:tls'
import { createAgent } from '../lib/http/agent.ts'
import type { Env } from '../lib/http/proxy.ts'
import { createTrust } from '../lib/http/tls.ts'

/** The TLS context for a host. */
export type Trust = (host: string) => SecureContext

export interface ConnectionOptions {
  readonly env: Env
  /** By host (with port); `createTrust({ env })` unless given. */
  readonly trust?: Trust
}

/** How the SDK is told to connect. */
export type Connection = NonNullable<ECRClientConfig['requestHandler']>

/**
 * How the SDK connects to `endpoint`. By itself it ignores proxies, and certificates can only be given to the agent.
 */
export function connectionTo(endpoint: string, { env, trust }: ConnectionOptions): Connection {
  const url = new URL(endpoint)
  const timeouts = { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS }
  if (url.protocol !== 'https:') return timeouts
  return { ...timeouts, httpsAgent: createAgent(url, { env, trust: trust ?? createTrust({ env }) }) }
}

// --- internal ---

const CONNECT_MS = 10_000
/** Without a byte in either direction. The longest silence is that of CompleteLayerUpload over a layer of many GB. */
const IDLE_MS = 180_000
