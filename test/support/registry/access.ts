import { failure, json, type Incoming, type Reply } from './protocol.ts'

/** Who may come in, and how they are asked. */
export type Access =
  | { readonly kind: 'open' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** Tokens from a service on the same or another double; without a user, for everybody. */
  | {
      readonly kind: 'bearer'
      readonly username?: string
      readonly password?: string
      readonly refreshToken?: string
      readonly expiresIn?: number
      /** Where tokens are had; this double itself by default. */
      readonly realm?: string
      /** Instead of the header this double would send: `Basic …, Bearer …`. */
      readonly challenge?: (realm: string, scope: string) => string
      /** What an expired token is answered with, in place of 401 with a challenge. */
      readonly expiredAnswer?: Reply
    }

export interface Guard {
  /** The refusal, or undefined for those who may come in. */
  check(request: Incoming, origin: string): Reply | undefined
  /** Makes all tokens handed out until now worthless. */
  expireTokens(): void
}

export function createGuard(access: Access): Guard {
  const good = new Map<string, string>()
  const expired = new Set<string>()
  let issued = 0

  const issue = (request: Incoming): Reply => {
    if (access.kind !== 'bearer') return failure(404, 'UNSUPPORTED', 'no tokens here')
    const form = new URLSearchParams(request.body.toString())
    if (access.refreshToken !== undefined) {
      if (request.method !== 'POST' || form.get('refresh_token') !== access.refreshToken)
        return failure(401, 'UNAUTHORIZED', 'wrong refresh token')
    } else if (
      access.username !== undefined &&
      request.headers['authorization'] !== basic(access.username, access.password ?? '')
    ) {
      return json(401, { details: 'incorrect username or password' })
    }
    issued += 1
    const token = `token-${issued}`
    const scopes =
      request.method === 'POST' ? (form.get('scope') ?? '').split(' ') : request.query.getAll('scope')
    good.set(token, scopes.join(' '))
    return json(200, { token, ...(access.expiresIn === undefined ? {} : { expires_in: access.expiresIn }) })
  }

  return {
    check(request, origin) {
      if (access.kind === 'open') return undefined
      const authorization = request.headers['authorization']
      if (access.kind === 'basic') {
        if (authorization === basic(access.username, access.password)) return undefined
        return {
          status: 401,
          headers: { 'www-authenticate': 'Basic realm="double"', 'content-type': 'text/plain' },
          body: Buffer.from('Not Authorized\n'),
        }
      }
      if (request.path === '/token') return issue(request)
      const token = authorization?.replace(/^Bearer /, '') ?? ''
      if (expired.has(token) && access.expiredAnswer !== undefined) return { ...access.expiredAnswer }
      const needed = scopeOf(request)
      if (!expired.has(token) && covers(good.get(token), needed)) return undefined
      const realm = access.realm ?? `${origin}/token`
      const challenge =
        access.challenge?.(realm, needed) ?? `Bearer realm="${realm}",service="double",scope="${needed}"`
      return failure(401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge })
    },
    expireTokens() {
      for (const token of good.keys()) expired.add(token)
    },
  }
}

// --- internal ---

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

function scopeOf({ path, method }: Incoming): string {
  const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1]
  if (repository === undefined) return ''
  return `repository:${repository}:${method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push'}`
}

function covers(granted: string | undefined, needed: string): boolean {
  if (granted === undefined) return false
  if (needed === '') return true
  const [name, actions] = [
    needed.slice(0, needed.lastIndexOf(':')),
    needed.slice(needed.lastIndexOf(':') + 1).split(','),
  ]
  return granted.split(' ').some(
    (scope) =>
      scope.startsWith(`${name}:`) &&
      actions.every((action) =>
        scope
          .slice(name.length + 1)
          .split(',')
          .includes(action),
      ),
  )
}
