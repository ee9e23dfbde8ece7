import { noteSecret } from '../../lib/secrets.ts'
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

/** Takes note of all that `source` gives, so that no text that leaves the program says it. */
export function noting(source: Credentials): Credentials {
  return async (registry, query) => {
    const found = await source(registry, query)
    if (found !== undefined) noteSecret(...secretsOf(found))
    return found
  }
}

export type { Credentials } from './credential.ts'
export { dockerCredentials } from './docker-config.ts'

// --- internal ---

function secretsOf(credential: Credential): readonly string[] {
  if ('identityToken' in credential) return [credential.identityToken]
  if ('password' in credential) {
    const { username, password } = credential
    return [Buffer.from(`${username}:${password}`).toString('base64'), password]
  }
  const value = credential.authorization.replace(/^\w+ +/, '')
  // ECR's is `AWS:<password>`.
  return [
    value,
    Buffer.from(value, 'base64')
      .toString('latin1')
      .replace(/^[^:]*:/, ''),
  ]
}
