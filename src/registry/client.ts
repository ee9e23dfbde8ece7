import type { Emit } from '../lib/events.ts'
import { HttpError } from '../lib/http-error.ts'
import type { Http, HttpRequest, HttpResponse } from '../lib/http.ts'
import {
  createPatience,
  retry,
  retryAfter,
  type Patience,
  type RetryPolicy,
  type Verdict,
} from '../lib/retry.ts'
import { createAuthorizer, type Asking } from './auth.ts'
import { parseChallenges } from './challenge.ts'
import type { Credentials } from './credentials.ts'
import { createEndpoints } from './endpoint.ts'
import { errorFrom, RegistryError } from './error.ts'
import type { RegistryEvent } from './events.ts'
import { createGate, type Gate } from './gate.ts'
import { readRateLimit, resetAfter, type RateLimit } from './rate-limit.ts'
import { followRedirect, MAX_REDIRECTS } from './redirect.ts'

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
  /** Actions on the repository, and whole scopes besides. */
  readonly actions?: 'pull' | 'pull,push'
  readonly scopes?: readonly string[]
  /** The statuses that are no failure. */
  readonly expect: readonly number[]
  /** What it is about, in the user's words: `quay.io/x/y:1`. */
  readonly where: string
  /** Requests with a quota of their own at the registry: paced apart from the others. */
  readonly lane?: string
}

/** Speaks to registries: authentication, redirects, pace and patience. */
export interface RegistryClient {
  /** One request, tried again while it makes sense. */
  send(call: Call): Promise<HttpResponse>
  /** The same without patience, for those who bring their own. */
  once(call: Call): Promise<HttpResponse>
  patience(registry: string, what: string): Patience
  /** What the host last said about its quota (Docker Hub's pulls). */
  rateLimit(registry: string): RateLimit | undefined
}

export function createClient(options: ClientOptions): RegistryClient {
  const { http, signal, emit = () => undefined } = options
  const endpoints = createEndpoints(http, options.insecure ?? [])
  const gates = new Map<string, Gate>()
  const limits = new Map<string, RateLimit>()
  /** Hosts that have answered: their failures pass, those of others are most likely a wrong name or a firewall. */
  const answered = new Set<string>()

  /** One exchange at the pace of its host. */
  const exchange = async (request: HttpRequest, lane = ''): Promise<HttpResponse> => {
    const { host } = new URL(request.url)
    const key = `${host} ${lane}`
    const gate = gates.get(key) ?? createGate(options.concurrencyPerHost ?? 16)
    gates.set(key, gate)
    return gate.run(async () => {
      const startedAt = performance.now()
      const response = await http(signal === undefined ? request : { ...request, signal })
      answered.add(host)
      const limit = readRateLimit(response.headers)
      if (limit !== undefined) limits.set(host, limit)
      const waitMs =
        response.status === 429 ? (retryAfter(response.headers) ?? 0) : resetAfter(response.headers)
      if (response.status === 429) gate.throttled(startedAt)
      else gate.succeeded()
      if (waitMs > 0 && waitMs <= LONGEST_PAUSE_MS) {
        gate.pause(waitMs)
        emit({ type: 'throttle', host, waitMs, reason: `${host} asks to wait` })
      }
      return response
    }, signal)
  }
  const authorizer = createAuthorizer(exchange, options.credentials)

  /** One request to one URL, answering one challenge. */
  const authorised = async (call: Call, method: string, url: URL, asking: Asking): Promise<HttpResponse> => {
    const own = url.origin === asking.origin
    const request = (authorization: string | undefined): Promise<HttpResponse> =>
      exchange(
        {
          method,
          url: url.href,
          headers: { ...call.headers, ...(authorization === undefined ? {} : { authorization }) },
          ...(call.body === undefined || method === 'GET' ? {} : { body: call.body }),
        },
        call.lane,
      )
    const sent = own ? await authorizer.known(asking) : undefined
    const response = await request(sent)
    // public.ecr.aws answers 400 to an expired token: https://github.com/aws/containers-roadmap/issues/2835
    const stale = response.status === 400 && sent?.startsWith('Bearer ') === true && call.body === undefined
    if (response.status !== 401 && !stale) return response
    if (stale) {
      authorizer.forget(asking)
      const again = await authorizer.known(asking)
      if (again === sent) return response
      await response.discard()
      return request(again)
    }
    const challenges = parseChallenges(response.headers.get('www-authenticate'))
    const answer = own
      ? await authorizer.answer(asking, challenges, sent)
      : await authorizer.anonymous(url.origin, challenges)
    if (answer === undefined) return response
    await response.discard()
    return request(answer)
  }

  const follow = async (call: Call, method: string, asking: Asking): Promise<HttpResponse> => {
    let url = new URL(call.path, asking.origin)
    let verb = method
    for (let hops = 0; ; hops += 1) {
      const response = await authorised(call, verb, url, asking)
      const next = followRedirect(response, url, asking.origin, hops, call.where)
      if (next === undefined) return response
      await response.discard()
      if (response.status === 303) verb = 'GET'
      url = next
      if (hops > MAX_REDIRECTS) return response
    }
  }

  const attempt = async (call: Call, asking: Asking): Promise<HttpResponse> => {
    const response = await follow(call, call.method, asking)
    if (call.expect.includes(response.status)) return response
    const authenticated = await authorizer.hasCredential(asking)
    if (call.method === 'HEAD' && HAS_WORDS.has(response.status)) {
      // An answer to HEAD has no body, so the registry is asked again for its reasons.
      await response.discard()
      const spoken = await follow(call, 'GET', asking)
      if (spoken.status >= 400) throw await errorFrom('GET', spoken, call.where, authenticated)
      await spoken.discard()
    }
    throw await errorFrom(call.method, response, call.where, authenticated)
  }

  const once = async (call: Call): Promise<HttpResponse> => {
    const { registry, repository } = call
    const own =
      repository === undefined || call.actions === undefined
        ? []
        : [`repository:${repository}:${call.actions}`]
    const asking: Asking = {
      registry,
      origin: await endpoints(registry),
      scopes: [...own, ...(call.scopes ?? [])],
      ...(repository === undefined ? {} : { repository }),
    }
    const generation = authorizer.generation(registry)
    try {
      return await attempt(call, asking)
    } catch (error) {
      if (!(error instanceof RegistryError) || !error.isExpired) throw error
      if (!(await authorizer.renew(asking, generation))) throw error
      return attempt(call, asking)
    }
  }

  const judge = (error: unknown): Verdict => {
    if (error instanceof RegistryError) {
      const { retryable, waitMs } = error
      return { retryable, asked: error.status === 429, ...(waitMs === undefined ? {} : { waitMs }) }
    }
    if (!(error instanceof HttpError)) return { retryable: false }
    const { retryable, host } = error
    return answered.has(host) ? { retryable } : { retryable, attempts: STRANGER_ATTEMPTS }
  }
  const patience = (registry: string, what: string): Patience =>
    createPatience({
      judge,
      policy: options.retry ?? {},
      ...(signal === undefined ? {} : { signal }),
      onRetry: (attempt, waitMs, error) => {
        const reason = error instanceof Error ? error.message : String(error)
        emit({ type: 'retry', host: registry, what, attempt, waitMs, reason })
      },
    })

  return {
    once,
    patience,
    send: (call) => retry(patience(call.registry, call.where), () => once(call)),
    rateLimit: (registry) => limits.get(registry === 'docker.io' ? 'registry-1.docker.io' : registry),
  }
}

// --- internal ---

/** Statuses of HEAD whose reason is worth a second request; 404 is clear, and the busy are not asked twice. */
const HAS_WORDS = new Set([400, 401, 403, 405, 406, 415])
/** Whoever asks for more is not waited for; its requests fail. */
const LONGEST_PAUSE_MS = 300_000
/** Tries for a host that has never answered. */
const STRANGER_ATTEMPTS = 2
