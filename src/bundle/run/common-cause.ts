import { BundleError, type ErrorKind } from '../../lib/errors.ts'
import { listed } from '../../lib/format.ts'
import { HttpError, PortalError } from '../../lib/http/error.ts'
import { RegistryError } from '../../registry/error.ts'
import type { Failure } from './failures.ts'

/** What keeps everything from being fetched, in one sentence. */
export interface CommonCause {
  readonly kind: ErrorKind
  readonly message: string
  readonly next: string
}

/**
 * The one cause behind all of these failures, when it lies with this machine's way to the network or with one host
 * that lets nothing more through. Sixty images that fail by it are one thing to fix.
 */
export function commonCause(failures: readonly Failure[]): CommonCause | undefined {
  const causes = failures.map(({ error }) => causeOf(error))
  const [first] = causes
  if (first === undefined || causes.some((cause) => cause?.name !== first.name)) return undefined
  // Of one thing, or of one host that is not there, its own words say more: the name may be misspelt.
  const isShared = first.name === 'proxy' || first.name === 'limit'
  const hosts = [...new Set(causes.flatMap((cause) => cause?.host ?? []))].toSorted()
  if (failures.length < 2 || (hosts.length < 2 && !isShared)) return undefined
  const { message, next } = CAUSES[first.name](listed(hosts), first)
  return { kind: first.name === 'portal' ? 'failed' : 'network', message, next }
}

// --- internal ---

type CauseName = 'dns' | 'route' | 'silence' | 'proxy' | 'certificate' | 'portal' | 'limit'

interface Cause {
  readonly name: CauseName
  readonly host: string
  /** As it reads for one host. */
  readonly reason: string
  readonly next: string | undefined
}

const CODES: Readonly<Record<string, CauseName>> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  ENETUNREACH: 'route',
  EHOSTUNREACH: 'route',
  ETIMEDOUT: 'silence',
  STALLED: 'silence',
}

/** Of the error, or of what lies behind it: whoever wraps one adds where it was, not what it is. */
function causeOf(error: unknown): Cause | undefined {
  if (!(error instanceof BundleError)) return undefined
  return ownCause(error) ?? causeOf(error.cause)
}

function ownCause(error: BundleError): Cause | undefined {
  const common = { reason: error.message, next: error.next }
  if (error instanceof PortalError) return { ...common, name: 'portal', host: error.host }
  if (error instanceof RegistryError) {
    const { host } = new URL(error.url)
    if (error.status === 429) return { ...common, name: 'limit', host }
    return error.status < 400 ? { ...common, name: 'portal', host } : undefined
  }
  if (!(error instanceof HttpError)) return undefined
  const { host, code, message } = error
  if (code === 'PROXY' || /\bproxy\b/.test(message)) return { ...common, name: 'proxy', host }
  if (/CA that is not trusted/.test(message)) return { ...common, name: 'certificate', host }
  const name = CODES[code]
  return name === undefined ? undefined : { ...common, name, host }
}

/** What is reported of one host, without its name. */
const PROXY_WORDS = /^(?:\S+ \(through the proxy \S+\)|the SOCKS proxy \S+ gives no connection to \S+): (.*)$/

const ONLINE =
  'run this on a machine that reaches the internet; where that takes a proxy, set HTTPS_PROXY; a mirror that is reached is named with --mirror'

const CAUSES: Readonly<
  Record<CauseName, (hosts: string, one: Cause) => { readonly message: string; readonly next: string }>
> = {
  dns: (hosts) => ({
    message: `this machine finds no address of ${hosts} (DNS), so nothing can be fetched`,
    next: `check the names and the DNS server, or ${ONLINE}`,
  }),
  route: (hosts) => ({
    message: `there is no route from this machine to ${hosts}, so nothing can be fetched`,
    next: ONLINE,
  }),
  silence: (hosts) => ({
    message: `no connection to ${hosts} comes about, so nothing can be fetched: nothing answers, as behind a firewall`,
    next: ONLINE,
  }),
  proxy: (hosts, { reason, next }) => {
    const proxy = /\bproxy (\S+?)[) ]/.exec(reason)?.[1] ?? ''
    const words = PROXY_WORDS.exec(reason)?.[1] ?? reason
    const isLogin = / (?:407|login)\b/.test(reason) && next !== undefined
    return {
      message: `the proxy ${proxy} lets nothing through to ${hosts}: ${words}`,
      next: isLogin ? next : 'check that it runs and allows these hosts, and that HTTPS_PROXY names it',
    }
  },
  certificate: (hosts) => ({
    message: `the certificates of ${hosts} are signed by a CA that is not trusted here, as behind a proxy that inspects TLS`,
    next: 'pass the CA of the proxy with --ca-file, or set SSL_CERT_FILE',
  }),
  portal: (hosts) => ({
    message: `a web page answers in the place of ${hosts}, as the login page of a network does`,
    next: 'log in to the network with a browser, or check the addresses, then run the same command again',
  }),
  limit: (_, { reason, next = 'run it again later' }) => ({ message: reason, next }),
}
