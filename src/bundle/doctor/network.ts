import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { BundleError, codeOf } from '../../lib/errors.ts'
import { formatDuration } from '../../lib/format.ts'
import type { Http } from '../../lib/http/client.ts'
import { proxyFor, type Env } from '../../lib/http/proxy.ts'
import { isLoopback, isPrivateHost } from '../../lib/url.ts'
import { fail, failed, ok, warn, type Check } from './check.ts'

/** Addresses of a host. */
export type Lookup = (host: string) => Promise<readonly string[]>

export const systemLookup: Lookup = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address)

/** A host the import needs, by its address: `what` is `ECR API`, or `registry`. */
export interface Endpoint {
  readonly what: string
  readonly url: URL
  /** The VPC endpoint that leads there from an isolated VPC: `ecr.api`. */
  readonly service?: string
}

/** Whether the name resolves, and whether into the VPC or out of it. */
export async function checkDns({ what, url, service }: Endpoint, env: Env, resolve: Lookup): Promise<Check> {
  const name = `DNS of the ${what}`
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return ok(name, `${host} is an address`)
  if (proxyFor(url, env) !== undefined) return ok(name, `${host} is looked up by the proxy`)
  const inVpc =
    service === undefined
      ? undefined
      : `in an isolated VPC, make the interface endpoint ${service} with private DNS; ma-bundle iam-policy --for vpc-endpoints prints it`
  try {
    const addresses = await resolve(host)
    const privates = addresses.filter(isPrivateHost)
    const text = `${host} is ${addresses.join(', ')}`
    if (addresses.length === 0) return fail(name, `${host} has no address`, inVpc)
    if (isLoopback(addresses[0] ?? '')) return ok(name, `${text} (this machine)`)
    if (privates.length === addresses.length) return ok(name, `${text} (private)`)
    if (privates.length === 0) return ok(name, `${text} (public: the way there leads through the internet)`)
    return warn(
      name,
      `${text} (private and public mixed)`,
      'see which name servers answer; one of them does not know the VPC endpoint',
    )
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    return fail(name, `${host} does not resolve (${code})`, inVpc ?? 'check the name and the name servers')
  }
}

/** What an endpoint answered to a request without credentials. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** How far its clock is ahead of ours; milliseconds, undefined when it does not tell. */
  readonly aheadMs: number | undefined
}

/** Whether an endpoint can be reached: TCP, TLS with a certificate that is trusted, and an answer. */
export async function checkReach(
  { what, url, service }: Endpoint,
  http: Http,
  env: Env,
  signal: AbortSignal,
): Promise<{ readonly check: Check; readonly answer?: Answer }> {
  const name = `connection to the ${what}`
  const startedAt = Date.now()
  try {
    const response = await http({ method: 'GET', url: url.href, signal })
    await response.discard()
    const took = Date.now() - startedAt
    const date = Date.parse(response.headers.get('date') ?? '')
    const proxy = proxyFor(url, env)
    const way = proxy === undefined ? '' : `, through the proxy ${proxy.host}`
    const tls = url.protocol === 'https:' ? 'TLS and its certificate are good' : 'plain http'
    return {
      check: ok(name, `${url.host} answers in ${took} ms${way}; ${tls}`),
      answer: {
        status: response.status,
        headers: response.headers,
        // The header has whole seconds; it was written somewhere between question and answer.
        aheadMs: Number.isNaN(date) ? undefined : date + 500 - (startedAt + took / 2),
      },
    }
  } catch (error) {
    const check = failed(name, error)
    if (service === undefined || !(error instanceof BundleError) || (error.next ?? '').includes('--ca-file'))
      return { check }
    const fix = `open port 443 from here to the interface endpoint ${service} (its security group, the route), or correct HTTPS_PROXY and NO_PROXY`
    return { check: { ...check, fix } }
  }
}

/** AWS refuses signatures from clocks that are more than five minutes off; certificates and tokens suffer as well. */
export function checkClock(answers: readonly (Answer | undefined)[]): Check {
  const name = 'clock'
  const ahead = answers.flatMap((answer) => answer?.aheadMs ?? [])
  const [worst] = ahead.toSorted((a, b) => Math.abs(b) - Math.abs(a))
  if (worst === undefined)
    return warn(name, 'no endpoint reported its time, so this clock could not be compared')
  const off = Math.abs(worst)
  if (off <= 60_000) return ok(name, `right to within ${formatDuration(Math.max(1000, off))}`)
  const aws =
    off > 300_000
      ? '; AWS refuses signatures from 5 minutes on, which the AWS SDK corrects and other tools do not'
      : ''
  return warn(
    name,
    `this clock is ${formatDuration(off)} ${worst > 0 ? 'slow' : 'fast'}${aws}`,
    'set it from a time server (in AWS: 169.254.169.123)',
  )
}

/**
 * Whether a proxy stands where it should not: private addresses of VPC endpoints are reached directly, and the proxy
 * mostly cannot reach them at all.
 */
export async function checkProxy(endpoints: readonly Endpoint[], env: Env, resolve: Lookup): Promise<Check> {
  const name = 'proxy'
  const proxied = endpoints.filter(({ url }) => proxyFor(url, env) !== undefined)
  const names = proxied.map(({ url }) => url.hostname)
  if (proxied.length === 0) {
    const set = Object.keys(env).some((key) => /^(https?|all)_proxy$/i.test(key) && (env[key] ?? '') !== '')
    return ok(name, set ? 'set, and NO_PROXY exempts all that is needed' : 'none set')
  }
  const direct: string[] = []
  for (const host of names) {
    const addresses = await resolve(host).catch(() => [])
    if (addresses.some((address) => isPrivateHost(address) && !isLoopback(address))) direct.push(host)
  }
  const via = proxyFor(proxied[0]?.url ?? new URL('https://x'), env)?.host ?? ''
  if (direct.length > 0) {
    return warn(
      name,
      `${direct.join(', ')} would be reached directly, but goes through the proxy ${via}`,
      `add to NO_PROXY: ${direct.join(',')}`,
    )
  }
  return ok(name, `${names.join(', ')} through ${via}`)
}
