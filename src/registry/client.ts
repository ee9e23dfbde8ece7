import type { BundleError } from '../lib/errors.ts'
import type { Emit } from '../lib/events.ts'
import { HttpError, isNotTls, isUnreached, PortalError } from '../lib/http/error.ts'
import type { Http, HttpRequest, HttpResponse } from '../lib/http/client.ts'
import { createOnce } from '../lib/once.ts'
import { createPatience, retry, type Patience, type RetryPolicy, type RetryVerdict } from '../lib/retry.ts'
import { createAuthorizer, type Asking } from './auth/authorizer.ts'
import type { Credentials } from './auth/credentials.ts'
import { createEndpoints } from './endpoint.ts'
import { errorFrom, RegistryError } from './error.ts'
import type { RegistryEvent } from './events.ts'
import { follow, type Errand } from './transport/follow.ts'
import type { RateLimit } from './transport/rate-limit.ts'
import { createTraffic } from './transport/traffic.ts'
import { isHtml } from './error-body.ts'

export interface ClientOptions {
  readonly http: Http
  readonly credentials?: Credentials
  /** Hosts (with port) that are spoken to over plain http; loopback needs no mention. */
  readonly insecure?: readonly string[]
  readonly emit?: Emit<RegistryEvent>
  readonly signal?: AbortSignal
  readonly retry?: Partial<RetryPolicy>
  /** Requests that wait for their answer at once, per host (default 16). Transfers count only until they begin. */
  readonly concurrencyPerHost?: number
}

/** One request to a registry. */
export interface Call {
  /** By its name in references. */
  readonly registry: string
  readonly repository?: string
  readonly method: string
  /** `/v2/…`, or a whole URL that the registry handed out. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: HttpRequest['body']
  /** What is done with the repository, and scopes besides. */
  readonly actions?: 'pull' | 'pull,push' | 'delete'
  readonly scopes?: readonly string[]
  /** The statuses that are no failure. */
  readonly expect: readonly number[]
  /** What it is about, in the user's words: `quay.io/x/y:1`. */
  readonly where: string
  /** Requests with a quota of their own at the registry: paced apart from the others. */
  readonly lane?: string
  /** No credential is used, whatever is known of the host. */
  readonly anonymous?: boolean
}

/** Speaks to registries: authentication, redirects, pace and patience. */
export interface RegistryClient {
  /** One request, tried again while it makes sense. */
  send(call: Call): Promise<HttpResponse>
  /** The same without patience, for callers that bring their own. */
  once(call: Call): Promise<HttpResponse>
  /** @param what the work, in the user's words, for events */
  patience(registry: string, what: string): Patience
  /** What is known of hosts that refuse HEAD, for the requests that fall back to GET; added to. */
  readonly headless: Set<string>
  /** What the host last reported about its quota (Docker Hub's pulls). */
  rateLimit(registry: string): RateLimit | undefined
}

export function createClient(options: ClientOptions): RegistryClient {
  const { http, emit = () => undefined } = options
  const signal = options.signal === undefined ? {} : { signal: options.signal }
  const concurrencyPerHost = options.concurrencyPerHost ?? 16
  const endpoints = createEndpoints(http, options.insecure ?? [])
  const traffic = createTraffic({ http, emit, concurrencyPerHost, ...signal })
  const authorizer = createAuthorizer((request) => traffic.exchange(request), options.credentials)
  const known = createOnce<boolean>()

  /** Whether the host speaks the protocol at all, asked when its 404 is not in the protocol's words. */
  const isRegistry = (asking: Asking): Promise<boolean> =>
    known(asking.origin, async () => {
      const url = new URL('/v2/', asking.origin)
      const response = await follow(traffic, authorizer, {
        method: 'GET',
        url,
        asking: { ...asking, scopes: [] },
      })
      const text = await response.text()
      return response.status !== 404 && !isHtml(text, response.headers.get('content-type') ?? '')
    })

  /** Hosts that nothing was ever heard of: what else is wanted of them fails at once, in the words of the first try. */
  const silent = new Map<string, { readonly error: HttpError; readonly tries: number }>()
  const noted = (error: unknown): unknown => {
    if (!(error instanceof HttpError) || !isStranger(error)) return error
    const tries = (silent.get(error.host)?.tries ?? 0) + 1
    silent.set(error.host, { error, tries })
    return error
  }
  const isStranger = (error: HttpError): boolean =>
    (isUnreached(error) || error.code === 'PROXY') && !traffic.hasAnswered(error.host)
  const triesFor = ({ code }: HttpError): number => (code === 'ETIMEDOUT' ? 1 : STRANGER_ATTEMPTS)

  const attempt = async (call: Call, asking: Asking): Promise<HttpResponse> => {
    const before = silent.get(new URL(asking.origin).host)
    if (before !== undefined && before.tries >= triesFor(before.error) && isStranger(before.error))
      throw new HttpError(before.error.message, before.error.code, before.error.host, false, {
        ...(before.error.next === undefined ? {} : { next: before.error.next }),
        cause: before.error.cause,
      })
    const errand: Errand = { ...call, url: new URL(call.path, asking.origin), asking }
    const response = await follow(traffic, authorizer, errand)
    if (call.expect.includes(response.status)) return response
    const authenticated = call.anonymous !== true && (await authorizer.hasCredential(asking))
    const asker = { registry: call.registry, authenticated }
    if (call.method === 'HEAD' && HAS_WORDS.has(response.status)) {
      // An answer to HEAD has no body, so the registry is asked again for its reasons.
      await response.discard()
      const spoken = await follow(traffic, authorizer, { ...errand, method: 'GET' })
      if (spoken.status >= 400) throw await errorFrom('GET', spoken, call.where, asker)
      await spoken.discard()
    }
    const error = await errorFrom(call.method, response, call.where, asker)
    if (error.status === 404 && error.errors.length === 0 && !(await isRegistry(asking))) {
      throw notRegistry(asking.origin, call.where)
    }
    throw error
  }

  const once = async (call: Call): Promise<HttpResponse> => {
    const { registry, repository, actions, where } = call
    const own =
      repository === undefined || actions === undefined ? [] : [`repository:${repository}:${actions}`]
    const asking: Asking = {
      registry,
      origin:
        /^https?:/.test(call.path) && call.anonymous === true
          ? new URL(call.path).origin
          : await endpoints(registry),
      where,
      scopes: [...own, ...(call.scopes ?? [])],
      ...(repository === undefined ? {} : { repository }),
      ...(call.anonymous === undefined ? {} : { anonymous: call.anonymous }),
    }
    const generation = authorizer.generation(registry)
    try {
      return await attempt(call, asking)
    } catch (error) {
      if (!(error instanceof RegistryError) || !error.isExpired) throw noted(error)
      if (!(await authorizer.renew(asking, generation))) throw error
      return attempt(call, asking)
    }
  }

  const judge = (error: unknown): RetryVerdict => {
    if (error instanceof RegistryError) {
      const { retryable, waitMs } = error
      return { retryable, asked: error.status === 429, ...(waitMs === undefined ? {} : { waitMs }) }
    }
    if (!(error instanceof HttpError)) return { retryable: false }
    const { retryable } = error
    return isStranger(error) ? { retryable, attempts: triesFor(error) } : { retryable }
  }
  const patience = (registry: string, what: string): Patience => {
    const inner = createPatience({
      judge,
      policy: options.retry ?? {},
      ...signal,
      onRetry: (attempt, waitMs, error) => {
        const reason = error instanceof Error ? error.message : String(error)
        emit({ type: 'retry', host: registry, what, attempt, waitMs, reason })
      },
    })
    return {
      ...inner,
      after: (error) =>
        inner.after(
          error instanceof HttpError && error.where === undefined ? error.at(what, nextFor(error)) : error,
        ),
    }
  }

  return {
    once,
    patience,
    headless: new Set(),
    send: (call) => retry(patience(call.registry, call.where), () => once(call)),
    rateLimit: (registry) => traffic.rateLimit(registry === 'docker.io' ? 'registry-1.docker.io' : registry),
  }
}

// --- internal ---

/** Statuses of HEAD whose reason is worth a second request; 404 is clear, and the busy are not asked twice. */
const HAS_WORDS = new Set([400, 401, 403, 405, 406, 415])
/** Tries to reach a host that has never answered. */
const STRANGER_ATTEMPTS = 2

const nextFor = (error: HttpError): string | undefined =>
  isNotTls(error)
    ? `if it is meant to be reached over plain http, pass --insecure-registry ${error.host}`
    : error.next

const notRegistry = (origin: string, where: string): BundleError => {
  const { host } = new URL(origin)
  return new PortalError(`${host} does not look like a registry: it has no /v2/`, host, {
    where,
    next: 'check the host; the URL of a chart repository (with an index.yaml) is not one of a registry',
  })
}
