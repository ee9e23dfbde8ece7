import type { AwsConfigs } from '../../aws/config/sides.ts'
import type { Emit } from '../../lib/events.ts'
import type { BundleEvent } from './events.ts'

/** What work needs of the world around it, wherever it was requested. */
export interface Surroundings {
  /** Where proxies, credentials and programs are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** How AWS is reached, by side. */
  readonly aws: AwsConfigs
  readonly signal: AbortSignal
  readonly emit: Emit<BundleEvent>
}
