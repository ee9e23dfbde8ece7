import { DEFAULT_CONCURRENCY, type NetworkSettings } from '../setup/network.ts'
import type { OptionShape } from './options.ts'

/** How registries are reached. */
export interface NetworkOptions {
  /**
   * Logins beside those that are found: of AWS for ECR, and of docker's configuration.
   * Passwords stay in memory; none is ever written.
   */
  readonly credentials?: readonly Login[]
  /** PEM files with CA certificates to trust beside the usual ones. */
  readonly caFiles?: readonly string[]
  /** Registries that speak plain http; loopback needs not be named. */
  readonly insecureRegistries?: readonly string[]
  /** Transfers at a time, 1 to 64; 8 by default. */
  readonly concurrency?: number
}

export interface Login {
  /** `registry.example:5000` */
  readonly registry: string
  readonly username: string
  readonly password: string
}

export const NETWORK_SHAPES = {
  caFiles: 'texts',
  insecureRegistries: 'texts',
  concurrency: [1, 64],
} as const satisfies Readonly<Record<string, OptionShape>>

export const networkFrom = ({
  credentials = [],
  caFiles = [],
  insecureRegistries = [],
  concurrency = DEFAULT_CONCURRENCY,
}: NetworkOptions): NetworkSettings => ({
  logins: credentials.map(({ registry, username, password }) => ({ host: registry, username, password })),
  caFiles,
  clientCertificates: {},
  insecure: insecureRegistries,
  concurrency,
})
