import { isIP, isIPv4 } from 'node:net'

/** A URL fit for errors, logs and events: no user, no password, no query (presigned ones are secrets), no fragment. */
export function redactUrl(url: string | URL): string {
  if (!URL.canParse(url)) return '(not a URL)'
  const parsed = new URL(url)
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`
}

/**
 * A URL without its query and fragment where these may let somebody in: presigned ones, tokens, whatever is long enough
 * to be one. What is kept are short words under names that mean no secret, as in `?download=1`.
 */
export function withoutSecrets(url: string): string {
  const parsed = new URL(url)
  const isPlain = [...parsed.searchParams].every(
    ([name, value]) => SHORT.test(name) && !SECRET.test(name) && (value === '' || SHORT.test(value)),
  )
  if (isPlain && parsed.hash.length <= 16) return url
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

/** `localhost`, anything below it, 127.0.0.0/8 and ::1. `host` may carry a port. */
export function isLoopback(host: string): boolean {
  const name = nameOf(host)
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    (isIPv4(name) && name.startsWith('127.')) ||
    name === '::1'
  )
}

/**
 * Whether `host` is a literal address that is not on the public internet: loopback, private (RFC 1918, RFC 4193),
 * carrier-grade NAT, link-local (the cloud's metadata service lives there) or unspecified. Names are never looked up:
 * VPC endpoints resolve to private addresses and are legitimate.
 */
export function isPrivateHost(host: string): boolean {
  const name = nameOf(host)
  if (isLoopback(name)) return true
  const inside = embedded(name)
  if (inside !== undefined) return isPrivateHost(inside)
  if (isIPv4(name)) {
    const [first = 0, second = 0] = name.split('.').map(Number)
    return (
      first === 0 ||
      first === 10 ||
      (first === 100 && second >= 64 && second < 128) ||
      (first === 169 && second === 254) ||
      (first === 172 && second >= 16 && second < 32) ||
      (first === 192 && second === 168) ||
      // Multicast, reserved and broadcast: no registry is there.
      first >= 224
    )
  }
  // Unique local, link-local, site-local (RFC 3879) and multicast addresses.
  return isIP(name) === 6 && (name === '::' || /^(?:f[cd]|fe[89a-f]|ff)/.test(name))
}

/**
 * Whether `host` is a literal address that only this machine's own link has: 169.254.0.0/16 and fe80::/10, and what AWS
 * puts beside them (fd00:ec2::/32). The cloud's metadata and credentials are there, and never a registry, so nobody may
 * lead there, not even a host of the private network.
 */
export function isLinkLocal(host: string): boolean {
  const name = nameOf(host)
  const inside = embedded(name)
  if (inside !== undefined) return isLinkLocal(inside)
  if (isIPv4(name)) return name.startsWith('169.254.')
  return isIP(name) === 6 && /^(?:fe[89ab]|fd00:ec2:)/.test(name)
}

/**
 * Whether someone at `from` may send us to `to`: never to this machine's link, and from the internet to no private
 * address. Whoever stays at the own host may.
 */
export function mayLeadTo(from: string, to: string): boolean {
  if (nameOf(from) === nameOf(to)) return true
  return !isLinkLocal(to) && (isPrivateHost(from) || !isPrivateHost(to))
}

// --- internal ---

const SHORT = /^[\w.-]{1,15}$/
const SECRET = /token|sig|credential|pass|secret|key|auth|session|policy|^(?:code|sas|st|pw|jwt)$/i

/** The host without port, brackets and final dot, in lower case. */
function nameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host)?.[1]
  if (bracketed !== undefined) return bracketed.toLowerCase()
  const bare = isIP(host) === 6 ? host : host.replace(/:\d*$/, '')
  return bare.replace(/\.$/, '').toLowerCase()
}

/**
 * The IPv4 address that an IPv6 one leads to: mapped (`::ffff:0:0/96`) and compatible (`::/96`) ones, those of NAT64
 * (RFC 6052 and RFC 8215), 6to4 (RFC 3056) and Teredo (RFC 4380, its last 32 bits turned over).
 */
function embedded(name: string): string | undefined {
  const words = wordsOf(name)
  if (words === undefined) return undefined
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = words
  const isZero = (...some: readonly number[]): boolean => some.every((word) => word === 0)
  if (isZero(a, b, c, d, e) && (f === 0xffff || f === 0) && !isZero(f, g)) return ipv4Of(g, h)
  if (isZero(a, b, c, d, f) && e === 0xffff) return ipv4Of(g, h)
  if (a === 0x64 && b === 0xff9b && (c === 1 || isZero(c, d, e, f))) return ipv4Of(g, h)
  if (a === 0x2002) return ipv4Of(b, c)
  if (a === 0x2001 && b === 0) return ipv4Of(g ^ 0xffff, h ^ 0xffff)
  return undefined
}

const ipv4Of = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join('.')

/** The eight words of an IPv6 address. */
function wordsOf(name: string): readonly number[] | undefined {
  const bare = name.replace(/%.*$/, '')
  if (isIP(bare) !== 6) return undefined
  // As URLs write it: an IPv4 end has become two words.
  const [head = '', tail] = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::')
  const words = (text: string): readonly number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))
  const [first, last] = [words(head), words(tail ?? '')]
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}
