import { isIP, isIPv4 } from 'node:net'

/** A URL fit for errors, logs and events: no user, no password, no query (presigned ones are secrets), no fragment. */
export function redactUrl(url: string | URL): string {
  if (!URL.canParse(url)) return '(not a URL)'
  const parsed = new URL(url)
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`
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
  const mapped = /^::ffff:(.+)$/.exec(name)?.[1]
  if (mapped !== undefined) return isPrivateHost(isIP(mapped) === 4 ? mapped : unmap(mapped))
  if (isIPv4(name)) {
    const [first = 0, second = 0] = name.split('.').map(Number)
    return (
      first === 0 ||
      first === 10 ||
      (first === 100 && second >= 64 && second < 128) ||
      (first === 169 && second === 254) ||
      (first === 172 && second >= 16 && second < 32) ||
      (first === 192 && second === 168)
    )
  }
  return isIP(name) === 6 && (name === '::' || /^f[cd]/.test(name) || /^fe[89ab]/.test(name))
}

/**
 * Whether `host` is a literal address that only this machine's own link has: 169.254.0.0/16 and fe80::/10, and what AWS
 * puts beside them (fd00:ec2::/32). The cloud's metadata and credentials are there, and never a registry, so nobody may
 * lead there, not even a host of the private network.
 */
export function isLinkLocal(host: string): boolean {
  const name = nameOf(host)
  const mapped = /^::ffff:(.+)$/.exec(name)?.[1]
  if (mapped !== undefined) return isLinkLocal(isIP(mapped) === 4 ? mapped : unmap(mapped))
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

/** The host without port, brackets and final dot, in lower case. */
function nameOf(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host)?.[1]
  if (bracketed !== undefined) return bracketed.toLowerCase()
  const bare = isIP(host) === 6 ? host : host.replace(/:\d*$/, '')
  return bare.replace(/\.$/, '').toLowerCase()
}

/** `7f00:1`, as URLs write the last 32 bits of an IPv4-mapped address, to `127.0.0.1`. */
function unmap(hex: string): string {
  const [high = 0, low = 0] = hex.split(':').map((part) => Number.parseInt(part, 16))
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
