/** What a registry gets to know about the client. */
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
 * Asked once per repository: what is expensive to find out remembers its answer itself.
 */
export type Credentials = (registry: string, query?: CredentialQuery) => Promise<Credential | undefined>
