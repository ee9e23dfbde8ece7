import { BundleError } from '../../lib/errors.ts'
import type { HttpResponse } from '../../lib/http/client.ts'
import { isLoopback, mayLeadTo, redactUrl } from '../../lib/url.ts'

export const MAX_REDIRECTS = 10

/**
 * Where an answer sends us, or undefined when it does not.
 * @param origin of the registry that was asked first
 * @throws when the redirect is one that no honest registry sends
 */
export function followRedirect(
  response: HttpResponse,
  from: URL,
  origin: string,
  hops: number,
  where: string,
): URL | undefined {
  const location = response.headers.get('location')
  if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return undefined
  if (hops >= MAX_REDIRECTS) throw refused(`more than ${MAX_REDIRECTS} redirects in a row`, from, where)
  return resolveLocation(location, from, origin, where)
}

/**
 * A `Location` (of a redirect or an upload session), resolved against the URL that was asked. Some registries behind
 * a TLS proxy hand out `http://` for themselves: that is read as https.
 */
export function resolveLocation(location: string, from: URL, origin: string, where: string): URL {
  if (!URL.canParse(location, from)) throw refused('its Location is not a URL', from, where)
  const to = new URL(location, from)
  if (to.protocol !== 'https:' && to.protocol !== 'http:')
    throw refused(`its Location is ${to.protocol}`, from, where)
  const asked = new URL(origin)
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    if (to.hostname === from.hostname && (to.port === from.port || to.port === '')) {
      to.protocol = 'https:'
      to.port = from.port
    } else if (!isLoopback(to.host)) throw refused(`it leads from https to ${redactUrl(to)}`, from, where)
  }
  // Names are not looked up: in a VPC they rightly stand for private addresses.
  if (!mayLeadTo(asked.host, to.host)) {
    throw refused(`it leads to the private address ${to.host}`, from, where)
  }
  to.username = ''
  to.password = ''
  return to
}

// --- internal ---

const refused = (why: string, from: URL, where: string): BundleError =>
  new BundleError(`a redirect of ${redactUrl(from)} is not followed: ${why}`, {
    kind: 'failed',
    where,
    next: 'check that the host is the registry you mean',
  })
