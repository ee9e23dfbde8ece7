import { BundleError, integrityError, messageOf } from '../errors.ts'
import { HttpError, isUnreached } from './error.ts'
import type { Http, HttpResponse } from './client.ts'
import { createPatience, retry, retryAfter, type RetryPolicy, type RetryVerdict } from '../retry.ts'
import { mayLeadTo, redactUrl } from '../url.ts'

export interface FollowOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** A value for `Authorization`, sent to the origin (scheme, host, port) of the first URL only. */
  readonly authorization?: string
  readonly signal?: AbortSignal
}

export interface DownloadOptions extends FollowOptions {
  /** Bytes; more is refused. */
  readonly limit: number
  readonly policy?: Partial<RetryPolicy>
  readonly onRetry?: (attempt: number, waitMs: number, error: unknown) => void
}

export interface Download {
  readonly content: Uint8Array
  readonly headers: Headers
  /** Where it came from in the end, without query. */
  readonly url: string
}

/** An answer with a status that is no success. */
export class StatusError extends BundleError {
  override readonly name = 'StatusError'

  constructor(
    message: string,
    readonly status: number,
    readonly waitMs: number | undefined,
    next: string | undefined,
  ) {
    super(message, { kind: kindOf(status), ...(next === undefined ? {} : { next }) })
  }
}

const REDIRECTS = 10

/** Gets something small as a whole, tried again as long as that makes sense. */
export function download(http: Http, url: string, options: DownloadOptions): Promise<Download> {
  const { signal, policy, onRetry, limit } = options
  const patience = createPatience({
    judge,
    ...(policy === undefined ? {} : { policy }),
    ...(signal === undefined ? {} : { signal }),
    ...(onRetry === undefined ? {} : { onRetry }),
  })
  return retry(patience, async () => {
    const response = await getFollowing(http, url, options)
    const { headers } = response
    return { content: await bounded(response, limit), headers, url: redactUrl(response.url) }
  })
}

/**
 * One GET with its redirects. Credentials stay with the origin they are for; a redirect may not lead from https to
 * http, nor from a public host to an address that only this network has.
 * @throws StatusError for anything but 2xx, its body let go
 */
export async function getFollowing(
  http: Http,
  url: string,
  options: FollowOptions = {},
): Promise<HttpResponse> {
  const { headers, authorization, signal } = options
  const { origin } = new URL(url)
  let at = url
  for (let hops = 0; hops <= REDIRECTS; hops += 1) {
    const own = authorization !== undefined && new URL(at).origin === origin
    const response = await http({
      method: 'GET',
      url: at,
      headers: { ...headers, ...(own ? { authorization } : {}) },
      ...(signal === undefined ? {} : { signal }),
    })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || location === null) {
      if (response.status >= 200 && response.status < 300) return response
      throw await statusError(response)
    }
    await response.discard()
    at = redirected(at, location)
  }
  throw new BundleError(`${redactUrl(url)} leads through more than ${REDIRECTS} redirects`, {
    kind: 'network',
  })
}

/** Which failures of a web server may pass. */
export function judge(error: unknown): RetryVerdict {
  if (error instanceof HttpError) {
    const { retryable } = error
    // A host that is not reached is most likely none that is there.
    return isUnreached(error) || error.code === 'PROXY' ? { retryable, attempts: 2 } : { retryable }
  }
  if (!(error instanceof StatusError)) return { retryable: false }
  const { status, waitMs } = error
  return {
    retryable: status === 408 || status === 429 || status >= 500,
    asked: status === 429,
    ...(waitMs === undefined ? {} : { waitMs }),
  }
}

// --- internal ---

async function bounded(response: HttpResponse, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.length
    // Leaving the loop lets the rest of the body go.
    if (size > limit) throw integrityError(`${redactUrl(response.url)} has more than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

function redirected(from: string, location: string): string {
  if (!URL.canParse(location, from)) {
    throw new BundleError(`${redactUrl(from)} redirects to something that is no URL`, { kind: 'network' })
  }
  const to = new URL(location, from)
  const source = new URL(from)
  const refuse = (why: string) =>
    new BundleError(`${redactUrl(from)} redirects to ${redactUrl(to)}, which is refused: ${why}`, {
      kind: 'network',
    })
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refuse('it is neither https nor http')
  if (source.protocol === 'https:' && to.protocol === 'http:') throw refuse('it gives up TLS')
  if (!mayLeadTo(source.host, to.host)) throw refuse('the address is not on the internet')
  to.username = ''
  to.password = ''
  return to.href
}

async function statusError(response: HttpResponse): Promise<StatusError> {
  const { status, headers, url } = response
  const body = await response.text(2048).catch((error: unknown) => messageOf(error))
  const isText = !/^\s*[<{]/.test(body) && !(headers.get('content-type') ?? '').includes('html')
  const words = isText ? body.replaceAll(/\s+/g, ' ').trim().slice(0, 200) : ''
  return new StatusError(
    `${redactUrl(url)} answers ${status}${words === '' ? '' : `: ${words}`}`,
    status,
    retryAfter(headers),
    NEXT[status],
  )
}

const NEXT: Readonly<Record<number, string>> = {
  401: 'give a chart repository its login with --username host=name and --password-stdin; or check the password',
  403: 'check that the account may read it; some hosts answer 403 for what does not exist',
  404: 'check the address, the name and the version',
  407: 'the proxy requires a login: put user and password into HTTPS_PROXY',
}

function kindOf(status: number): 'auth' | 'network' | 'failed' {
  if (status === 401 || status === 403 || status === 407) return 'auth'
  return status === 408 || status === 429 || status >= 500 ? 'network' : 'failed'
}
