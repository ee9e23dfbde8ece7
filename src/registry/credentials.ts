import { createOnce } from '../lib/once.ts'

/** What a registry is told about who asks. */
export type Credential =
  | { readonly username: string; readonly password: string }
  /** An OAuth 2 refresh token, as `docker login` keeps for registries that hand one out. */
  | { readonly identityToken: string }
  /** A whole `Authorization` value, sent as it is: ECR's. */
  | { readonly authorization: string }

export interface CredentialQuery {
  /** The last answer was refused or has expired; a newer one is wanted. */
  readonly refresh?: boolean
  /** For files that know credentials per path. */
  readonly repository?: string
}

/**
 * Credentials for a registry, by its name in references (`docker.io`), or undefined for none.
 * Asked once per repository: wrap an expensive source in `perHost`.
 */
export type Credentials = (registry: string, query?: CredentialQuery) => Promise<Credential | undefined>

/** The first that answers. */
export function chain(...sources: readonly Credentials[]): Credentials {
  return async (registry, query) => {
    for (const source of sources) {
      const found = await source(registry, query)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** Asks `source` once per registry, shares the answer, also while it is on its way, and asks again on `refresh`. */
export function perHost(source: Credentials): Credentials {
  let once = createOnce<Credential | undefined>()
  const rounds = new Map<string, number>()
  return (registry, query) => {
    const round = (rounds.get(registry) ?? 0) + (query?.refresh === true ? 1 : 0)
    rounds.set(registry, round)
    return once(`${registry} ${round}`, () => source(registry, query))
  }
}

export { dockerCredentials } from './docker-config.ts'
