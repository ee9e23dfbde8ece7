import type { Emit } from '../../lib/events.ts'
import type { Http } from '../../lib/http/client.ts'
import type { RegistryClient } from '../../registry/client.ts'
import type { Credentials } from '../../registry/auth/credentials.ts'
import type { BundleEvent } from './events.ts'

/** What every journey that talks to registries is handed: connections, ears, and a way to be stopped. */
export interface Session {
  readonly http: Http
  readonly client: RegistryClient
  /** Who we are for a host; registries ask by themselves, chart repositories are told. */
  readonly credentials?: Credentials
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Transfers at a time. */
  readonly concurrency: number
}
