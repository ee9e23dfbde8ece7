// What every flow of the bundle needs: events, collected failures, the network, the interface of a target registry.
import type { Emit } from '../../lib/events.ts'
import type { ChartRepositories } from '../../helm/repositories-file.ts'
import type { Http } from '../../lib/http/client.ts'
import type { RegistryClient } from '../../registry/client.ts'
import type { Credentials } from '../../registry/auth/credentials.ts'
import type { BundleEvent } from './events.ts'

/** What every journey that talks to registries is handed: connections, ears, and a way to be stopped. */
export interface Network {
  readonly http: Http
  readonly client: RegistryClient
  /** Who we are for a host; registries ask for it, chart repositories get it with the first request. */
  readonly credentials?: Credentials
  /** Chart repositories that helm knows, with the logins it keeps. */
  readonly chartRepositories?: ChartRepositories
  /** Whether the user gave a login for this host on the command line. */
  readonly isGiven?: (host: string) => boolean
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Transfers at a time. */
  readonly concurrency: number
}
