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
  /** Transfers at a time, 1 to 64; 8 unless told. */
  readonly concurrency?: number
}

export interface Login {
  /** `registry.example:5000` */
  readonly registry: string
  readonly username: string
  readonly password: string
}

/** The same as flags, and what they read from standard input. */
export function networkFlags({
  credentials = [],
  caFiles = [],
  insecureRegistries = [],
  concurrency,
}: NetworkOptions) {
  return {
    flags: {
      username: credentials.map(({ registry, username }) => `${registry}=${username}`),
      passwordStdin: credentials.length > 0,
      caFile: caFiles,
      insecureRegistry: insecureRegistries,
      concurrency,
    },
    stdin: credentials.map(({ password }) => password).join('\n'),
  }
}
