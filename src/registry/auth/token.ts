import { BundleError } from '../../lib/errors.ts'
import type { HttpRequest, HttpResponse } from '../../lib/http/client.ts'
import { noteSecret } from '../../lib/secrets.ts'
import { isLoopback, mayLeadTo, redactUrl } from '../../lib/url.ts'
import { parseObject } from '../../oci/manifest.ts'
import type { Challenge } from './challenge.ts'
import type { Credential } from './credential.ts'
import { errorFrom } from '../error.ts'

export interface BearerToken {
  readonly value: string
  /** Of performance.now(). */
  readonly expiresAt: number
}

/** One exchange with the gate of its host around it. */
export type Exchange = (request: HttpRequest) => Promise<HttpResponse>

/**
 * Gets a bearer token from the service a challenge names, anonymously without a credential.
 * https://distribution.github.io/distribution/spec/auth/token/ and …/auth/oauth/
 * @param asker the registry that sent the challenge, and what it was asked for
 */
export async function fetchToken(
  exchange: Exchange,
  asker: { readonly registry: string; readonly origin: string; readonly where: string },
  challenge: Challenge,
  scopes: readonly string[],
  credential: Credential | undefined,
): Promise<BearerToken> {
  const { realm = '', service } = challenge.params
  const { where } = asker
  const url = realmUrl(realm, asker.origin, where)
  const response = await exchange(requestFor(url, service, scopes, credential))
  if (response.status < 200 || response.status >= 300) {
    throw await errorFrom('identityToken' in (credential ?? {}) ? 'POST' : 'GET', response, where, {
      registry: asker.registry,
      authenticated: credential !== undefined,
    })
  }
  const json = parseObject(Buffer.from(await response.text(LONGEST_TOKEN)))
  // Both names are in use; some services send both.
  const value = [json?.['token'], json?.['access_token']].find(
    (found) => typeof found === 'string' && found !== '',
  )
  if (typeof value !== 'string') {
    throw new BundleError('the login service of the registry answered without a token', {
      kind: 'auth',
      where,
      next: `see what answers at ${new URL(url).host}: a proxy or a portal may stand before it`,
    })
  }
  noteSecret(value)
  const seconds = typeof json?.['expires_in'] === 'number' ? json['expires_in'] : DEFAULT_SECONDS
  return { value, expiresAt: performance.now() + Math.max(0, seconds) * 1000 * USABLE }
}

// --- internal ---

/** "If omitted, this defaults to 60 seconds." */
const DEFAULT_SECONDS = 60
/** The part of its life a token is used for: it has to be valid still when the request arrives. */
const USABLE = 0.85
const LONGEST_TOKEN = 1024 * 1024

/**
 * A registry may send anybody to any login service, but not over plain http when it is itself reached over https
 * (the password would travel in the clear), and not to a private address when it is itself on the internet.
 */
function realmUrl(realm: string, origin: string, where: string): URL {
  const fail = (why: string) =>
    new BundleError(`the registry names a login service that cannot be used: ${why}`, { kind: 'auth', where })
  if (!URL.canParse(realm, origin)) throw fail('not a URL')
  const url = new URL(realm, origin)
  const registry = new URL(origin)
  if (
    url.protocol !== 'https:' &&
    !(url.protocol === 'http:' && (registry.protocol === 'http:' || isLoopback(url.host)))
  ) {
    throw fail(`${redactUrl(url)} is not https`)
  }
  if (!mayLeadTo(registry.host, url.host)) {
    throw fail(`${url.host} is a private address`)
  }
  url.username = ''
  url.password = ''
  return url
}

function requestFor(
  url: URL,
  service: string | undefined,
  scopes: readonly string[],
  credential: Credential | undefined,
): HttpRequest {
  if (credential !== undefined && 'identityToken' in credential) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'ma-bundle',
      ...(service === undefined ? {} : { service }),
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
      refresh_token: credential.identityToken,
    })
    return {
      method: 'POST',
      url: url.href,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(form.toString()),
    }
  }
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const authorization = credential === undefined ? undefined : basicOf(credential)
  return {
    method: 'GET',
    url: url.href,
    ...(authorization === undefined ? {} : { headers: { authorization } }),
  }
}

/** The header of Basic authentication, or undefined for a credential that is no such thing. */
export function basicOf(credential: Credential): string | undefined {
  if ('authorization' in credential) return credential.authorization
  if ('identityToken' in credential) return undefined
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`
}
