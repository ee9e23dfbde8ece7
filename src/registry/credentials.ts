import { createOnce } from '../lib/once.ts'
import type { Credential, Credentials } from './credential.ts'

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

export type { Credential, CredentialQuery, Credentials } from './credential.ts'
export { dockerCredentials, type DockerCredentialOptions } from './docker-config.ts'
