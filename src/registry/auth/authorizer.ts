import type { Challenge } from './challenge.ts'
import type { Credential, Credentials } from './credential.ts'
import { noting } from './credentials.ts'
import { basicOf, fetchToken, type Exchange, type BearerToken } from './token.ts'

/** Who asks for what, where. */
export interface Asking {
  /** By its name in references. */
  readonly registry: string
  /** `https://host` it is reached at. */
  readonly origin: string
  readonly repository?: string
  /** What for, in the user's words. */
  readonly where: string
  /** `repository:<name>:pull,push`; the one for pushing first. */
  readonly scopes: readonly string[]
  /** Whoever is asked does not learn who we are. */
  readonly anonymous?: boolean
}

/** Knows how each registry wants to be spoken to, and keeps tokens per scope. */
export interface Authorizer {
  /**
   * The `Authorization` to try first: undefined until the registry has named its scheme.
   * @param stale what turned out to be good no longer
   */
  known(asking: Asking, stale?: string): Promise<string | undefined>
  /**
   * For requests of which nothing is known to send: the first to a registry is let through, and says in the end whether
   * there was an answer; the others wait for it, because all would get the same 401.
   * @returns undefined for those that waited
   */
  first(asking: Asking): Promise<((answered: boolean) => void) | undefined>
  /**
   * What to send instead of `sent` after it waited for its turn: logins of ECR end, and whoever hands them out knows
   * when to renew them. Everything else stays as it is.
   */
  current(asking: Asking, sent: string | undefined): Promise<string | undefined>
  /**
   * The `Authorization` that answers a 401, or undefined when there is none to give.
   * @param refused what was sent with the request that got the 401
   */
  answer(asking: Asking, challenges: readonly Challenge[], refused?: string): Promise<string | undefined>
  /** A token for someone who is nobody: for hosts a registry redirected to, whose challenge names the scope. */
  anonymous(asking: Asking, challenges: readonly Challenge[]): Promise<string | undefined>
  /** Which credentials are in use: changes when they are renewed. */
  generation(registry: string): number
  /**
   * After credentials of `generation` were refused: whether there are newer ones now.
   */
  renew(asking: Asking, generation: number): Promise<boolean>
  /** Whether anything but anonymous is in use. */
  hasCredential(asking: Asking): Promise<boolean>
}

export function createAuthorizer(exchange: Exchange, source: Credentials | undefined): Authorizer {
  const credentials = source === undefined ? undefined : noting(source)
  const schemes = new Map<string, Challenge>()
  const held = new Map<string, Promise<Credential | undefined>>()
  const tokens = new Map<string, Promise<BearerToken>>()
  const generations = new Map<string, number>()
  const renewals = new Map<string, Promise<boolean>>()
  const firsts = new Map<string, PromiseWithResolvers<void>>()

  const query = (repository: string | undefined, refresh: boolean) => ({
    refresh,
    ...(repository === undefined ? {} : { repository }),
  })
  const credentialFor = ({ registry, repository }: Asking): Promise<Credential | undefined> => {
    const key = `${registry} ${repository ?? ''}`
    let found = held.get(key)
    if (found === undefined) {
      found = (credentials ?? nobody)(registry, query(repository, false))
      held.set(key, found)
      found.catch(() => held.delete(key))
    }
    return found
  }

  /** The token held under `key`, or a new one when that is over or stale; fetched once for all who wait. */
  const tokenFor = async (
    key: string,
    fetchNew: () => Promise<BearerToken>,
    stale?: string,
  ): Promise<string> => {
    const before = tokens.get(key)
    if (before !== undefined) {
      const token = await before
      if (`Bearer ${token.value}` !== stale && token.expiresAt > performance.now())
        return `Bearer ${token.value}`
      // Another request may have fetched a new one meanwhile.
      if (tokens.get(key) !== before) return tokenFor(key, fetchNew, stale)
    }
    const fetched = fetchNew()
    tokens.set(key, fetched)
    fetched.catch(() => tokens.get(key) === fetched && tokens.delete(key))
    return `Bearer ${(await fetched).value}`
  }
  const bearer = (asking: Asking, challenge: Challenge, stale?: string): Promise<string> => {
    const fetchNew = async (): Promise<BearerToken> =>
      fetchToken(exchange, asking, challenge, scopesFor(asking, challenge), await credentialFor(asking))
    return tokenFor(keyOf(asking), fetchNew, stale)
  }

  return {
    async known(asking, stale) {
      const scheme = schemes.get(asking.registry)
      if (scheme?.scheme === 'bearer') return bearer(wider(asking, tokens), scheme, stale)
      const credential = await credentialFor(asking)
      if (credential === undefined) return undefined
      if ('authorization' in credential) return credential.authorization
      return scheme?.scheme === 'basic' ? basicOf(credential) : undefined
    },
    async first({ registry }) {
      const before = firsts.get(registry)
      if (before !== undefined) {
        await before.promise
        return undefined
      }
      const first = Promise.withResolvers<void>()
      firsts.set(registry, first)
      return (answered) => {
        if (!answered) firsts.delete(registry)
        first.resolve()
      }
    },
    async current(asking, sent) {
      const { registry, repository } = asking
      const isBearer = schemes.get(registry)?.scheme === 'bearer'
      if (sent === undefined || credentials === undefined || isBearer) return sent
      const held = await credentialFor(asking)
      if (held === undefined || !('authorization' in held)) return sent
      const now = await credentials(registry, query(repository, false))
      return now !== undefined && 'authorization' in now ? now.authorization : sent
    },
    async answer(asking, challenges, refused) {
      const chosen = choose(challenges)
      if (chosen === undefined) return undefined
      schemes.set(asking.registry, chosen)
      firsts.get(asking.registry)?.resolve()
      if (chosen.scheme === 'bearer') return bearer(asking, chosen, refused)
      const credential = await credentialFor(asking)
      const header = credential === undefined ? undefined : basicOf(credential)
      return header === refused ? undefined : header
    },
    async anonymous(asking, challenges) {
      const chosen = choose(challenges)
      if (chosen?.scheme !== 'bearer') return undefined
      const { realm, scope = '' } = chosen.params
      const scopes = scope === '' ? [] : [scope]
      return tokenFor(`nobody ${asking.origin} ${realm} ${scope}`, () =>
        fetchToken(exchange, asking, chosen, scopes, undefined),
      )
    },
    generation: (registry) => generations.get(registry) ?? 0,
    renew(asking, generation) {
      const { registry, repository } = asking
      if ((generations.get(registry) ?? 0) !== generation) return Promise.resolve(true)
      const running = renewals.get(registry)
      if (running !== undefined) return running
      const renewal = (async () => {
        const old = await credentialFor(asking)
        if (old === undefined || credentials === undefined) return false
        const fresh = await credentials(registry, query(repository, true))
        if (fresh === undefined || JSON.stringify(fresh) === JSON.stringify(old)) return false
        forgetRegistry(held, registry)
        forgetRegistry(tokens, registry)
        held.set(`${registry} ${repository ?? ''}`, Promise.resolve(fresh))
        generations.set(registry, generation + 1)
        return true
      })().finally(() => renewals.delete(registry))
      renewals.set(registry, renewal)
      return renewal
    },
    hasCredential: async (asking) => (await credentialFor(asking)) !== undefined,
  }
}

// --- internal ---

const nobody: Credentials = () => Promise.resolve(undefined)

const keyOf = ({ registry, scopes }: Asking): string => [registry, ...scopes].join(' ')

/** A token to push with is good to pull with: one token less, and one login less to be throttled for. */
function wider(asking: Asking, tokens: ReadonlyMap<string, unknown>): Asking {
  const scopes = asking.scopes.map((scope) => scope.replace(/:pull$/, ':pull,push'))
  const more = { ...asking, scopes }
  return !tokens.has(keyOf(asking)) && tokens.has(keyOf(more)) ? more : asking
}

/** Bearer before Basic, whatever the order; others (Negotiate, NTLM) are not for registries. */
const choose = (challenges: readonly Challenge[]): Challenge | undefined =>
  challenges.find(({ scheme, params }) => scheme === 'bearer' && params['realm'] !== undefined) ??
  challenges.find(({ scheme }) => scheme === 'basic')

/** What we need, or what the registry says one needs (`registry:catalog:*`) for requests outside of repositories. */
function scopesFor({ scopes }: Asking, challenge: Challenge): readonly string[] {
  if (scopes.length > 0) return scopes
  const { scope } = challenge.params
  return scope === undefined ? [] : [scope]
}

function forgetRegistry(map: Map<string, unknown>, registry: string): void {
  for (const key of map.keys()) if (key === registry || key.startsWith(`${registry} `)) map.delete(key)
}
