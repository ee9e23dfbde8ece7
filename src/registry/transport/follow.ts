import type { HttpRequest, HttpResponse } from '../../lib/http/client.ts'
import type { Asking, Authorizer } from '../auth/authorizer.ts'
import { parseChallenges } from '../auth/challenge.ts'
import { followRedirect } from './redirect.ts'
import type { Traffic } from './traffic.ts'

/** A request whose answer may lie somewhere else. */
export interface Errand {
  readonly method: string
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: HttpRequest['body']
  readonly lane?: string
  readonly asking: Asking
}

/**
 * Sends a request and follows where it leads. `Authorization` goes to the origin of the registry and nowhere else;
 * the other headers (Accept, Range) go along.
 */
export async function follow(
  traffic: Traffic,
  authorizer: Authorizer,
  errand: Errand,
): Promise<HttpResponse> {
  let { url, method } = errand
  for (let hops = 0; ; hops += 1) {
    const response = await authorised(traffic, authorizer, { ...errand, url, method })
    const next = await letGo(response, async () =>
      followRedirect(response, url, errand.asking.origin, hops, errand.asking.where),
    )
    if (next === undefined) return response
    await response.discard()
    // https://www.rfc-editor.org/rfc/rfc9110#section-15.4.4; the others keep method and body.
    if (response.status === 303) method = 'GET'
    url = next
  }
}

// --- internal ---

async function authorised(traffic: Traffic, authorizer: Authorizer, errand: Errand): Promise<HttpResponse> {
  const { url, asking } = errand
  if (url.origin !== asking.origin || asking.anonymous === true) {
    return challenged(traffic, authorizer, errand, false)
  }
  const known = await authorizer.known(asking)
  const told = known === undefined ? await authorizer.first(asking) : undefined
  if (told === undefined) {
    return challenged(traffic, authorizer, errand, true, known ?? (await authorizer.known(asking)))
  }
  let answered = false
  try {
    const response = await challenged(traffic, authorizer, errand, true)
    answered = true
    return response
  } finally {
    told(answered)
  }
}

/**
 * One request to one URL, answering one challenge.
 * @param own whether it goes to the registry itself
 * @param sent the `Authorization` to begin with
 */
async function challenged(
  traffic: Traffic,
  authorizer: Authorizer,
  errand: Errand,
  own: boolean,
  sent?: string,
): Promise<HttpResponse> {
  const { method, url, headers, body, lane, asking } = errand
  const send = (authorization: string | undefined): Promise<HttpResponse> => {
    const withBody = body !== undefined && method !== 'GET' && method !== 'HEAD'
    const all = authorization === undefined ? { ...headers } : { ...headers, authorization }
    const request = { method, url: url.href, headers: all, ...(withBody ? { body } : {}) }
    return traffic.exchange(request, lane, async (waited) => {
      const current = own ? await authorizer.current(asking, authorization) : authorization
      return current === authorization || current === undefined
        ? waited
        : { ...waited, headers: { ...all, authorization: current } }
    })
  }
  const response = await send(sent)
  // public.ecr.aws answers 400 to an expired token: https://github.com/aws/containers-roadmap/issues/2835
  if (response.status === 400 && sent?.startsWith('Bearer ') === true && body === undefined) {
    const again = await letGo(response, () => authorizer.known(asking, sent))
    if (again === sent) return response
    await response.discard()
    return send(again)
  }
  if (response.status !== 401) return response
  const challenges = parseChallenges(response.headers.get('www-authenticate'))
  const answer = await letGo(response, () =>
    own
      ? authorizer.answer(asking, challenges, sent)
      : authorizer.anonymous({ ...asking, origin: url.origin }, challenges),
  )
  if (answer === undefined) return response
  await response.discard()
  return send(answer)
}

/** When `work` fails, nobody reads the answer any more: its connection must not keep the program from ending. */
async function letGo<T>(response: HttpResponse, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await response.discard()
    throw error
  }
}
