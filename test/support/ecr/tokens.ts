import { createHmac, randomBytes } from 'node:crypto'
import type { Principal, Registry } from './registry.ts'

export interface Tokens {
  issue(principal: Principal, keyId: string): { readonly token: string; readonly expiresAt: number }
  /** Judges an `Authorization` header. */
  judge(header: string | undefined): Judgement
}

export type Judgement =
  | { readonly is: 'good'; readonly keyId: string }
  /** No Basic credentials of the user AWS: the challenge goes out. */
  | { readonly is: 'absent' }
  | { readonly is: 'expired' }
  /** Of another region or account, or not issued by ECR at all. */
  | { readonly is: 'foreign' }

interface Claims {
  readonly region: string
  readonly account: string
  readonly key: string
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** Tokens are base64(`AWS:<password>`); the password is long and opaque, so nobody may cap its size. */
export function createTokens(registry: Registry, lifeSeconds: number): Tokens {
  return {
    issue(_principal, keyId) {
      const expires = registry.now() + lifeSeconds * 1000
      const claims: Claims = { region: registry.region, account: registry.account, key: keyId, expires }
      const payload = Buffer.from(
        JSON.stringify({ ...claims, datakey: randomBytes(900).toString('base64') }),
      ).toString('base64url')
      const token = Buffer.from(`AWS:${payload}.${sign(payload)}`).toString('base64')
      return { token, expiresAt: expires / 1000 }
    },
    judge(header) {
      const [scheme, value] = header?.split(' ', 2) ?? []
      if (scheme?.toLowerCase() !== 'basic' || value === undefined) return { is: 'absent' }
      const [user, password = ''] = split(Buffer.from(value, 'base64').toString())
      if (user !== 'AWS') return { is: 'absent' }
      const [payload = '', signature] = password.split('.')
      if (signature !== sign(payload)) return { is: 'foreign' }
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
      if (claims.region !== registry.region || claims.account !== registry.account) return { is: 'foreign' }
      if (claims.expires <= registry.now()) return { is: 'expired' }
      return { is: 'good', keyId: claims.key }
    },
  }
}

// --- internal ---

/** The same for every double, so that one knows the other's tokens apart from garbage. */
const sign = (payload: string): string =>
  createHmac('sha256', 'a secret that only the double knows').update(payload).digest('base64url')

function split(credentials: string): readonly [string, string | undefined] {
  const colon = credentials.indexOf(':')
  return colon < 0 ? [credentials, undefined] : [credentials.slice(0, colon), credentials.slice(colon + 1)]
}
