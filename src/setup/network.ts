import { caFilesOf } from '../aws/config/config.ts'
import type { AwsSide } from '../aws/config/sides.ts'
import { helmRepositories } from '../helm/repositories-file.ts'
import { createHttp } from '../lib/http/client.ts'
import type { ClientCertificate } from '../lib/http/tls.ts'
import { mostAtOnce } from '../lib/pool.ts'
import { chain, dockerCredentials, type Credentials } from '../registry/auth/credentials.ts'
import { createClient } from '../registry/client.ts'
import type { Network } from '../bundle/run/network.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'
import { awsCredentialsFor } from './aws-credentials.ts'

/** Transfers at a time, by default. */
export const DEFAULT_CONCURRENCY = 8

/** How registries are reached. */
export interface NetworkSettings {
  /** Logins that count before those that are found. */
  readonly logins: readonly RegistryLogin[]
  /** PEM files with CA certificates to trust beside the usual ones. */
  readonly caFiles: readonly string[]
  /** By host. */
  readonly clientCertificates: Readonly<Record<string, ClientCertificate>>
  /** Hosts that speak plain http; loopback needs not be named. */
  readonly insecure: readonly string[]
  /** Transfers at a time. */
  readonly concurrency: number
}

export interface RegistryLogin {
  /** `registry.example:5000` */
  readonly host: string
  readonly username: string
  readonly password: string
}

/** What a network is opened for. */
export interface NetworkPurpose {
  /** Whose AWS credentials and CAs count. */
  readonly side: AwsSide
  /** Asked after the logins and before docker's files; what AWS hands out for its registries, unless given. */
  readonly own?: Credentials
}

/** Opens connections to registries. Nothing is sent yet. */
export async function connect(
  { logins, caFiles, clientCertificates, insecure, concurrency }: NetworkSettings,
  around: Surroundings,
  { side, own }: NetworkPurpose,
): Promise<Network> {
  const { env, emit, signal } = around
  const http = createHttp({ env, caFiles: caFilesOf(await around.aws(side), caFiles), clientCertificates })
  const credentials = chain(
    ...logins.map(
      ({ host, username, password }): Credentials =>
        (asked) =>
          Promise.resolve(host === asked ? { username, password } : undefined),
    ),
    own ?? awsCredentialsFor(around, caFiles, side),
    dockerCredentials(env, { warn: (message: string) => emit({ type: 'warning', message }) }),
  )
  const client = createClient({
    http,
    credentials,
    insecure,
    emit,
    signal,
    concurrencyPerHost: mostAtOnce(concurrency),
  })
  return {
    http,
    client,
    credentials,
    chartRepositories: helmRepositories(env, (message) => emit({ type: 'warning', message })),
    isGiven: (asked) => logins.some(({ host }) => host === asked),
    emit,
    signal,
    concurrency,
  }
}
