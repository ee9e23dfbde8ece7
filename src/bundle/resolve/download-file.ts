import type { Bytes } from '../../lib/bytes/bytes.ts'
import { getFollowing, judge } from '../../lib/http/get.ts'
import { messageOf } from '../../lib/errors.ts'
import { createPatience, retry, type Patience } from '../../lib/retry.ts'
import { redactUrl } from '../../lib/url.ts'
import type { Session } from '../run/network.ts'

type Connected = Pick<Session, 'http' | 'emit' | 'signal'>

/**
 * Content at a URL from byte `start` on. After a cut it goes on where it stopped, by Range where the server knows
 * it, else by reading past what is there already.
 */
export async function* downloadFrom(session: Connected, url: string, start = 0): Bytes {
  const patience = patienceFor(session, url)
  let at = start
  for (;;) {
    try {
      const headers = at === 0 ? {} : { range: `bytes=${at}-` }
      const response = await getFollowing(session.http, url, { headers, signal: session.signal })
      let skip = response.status === 206 ? 0 : at
      for await (const chunk of response.body) {
        const fresh = chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - fresh.length
        if (fresh.length === 0) continue
        at += fresh.length
        patience.progressed()
        yield fresh
      }
      return
    } catch (error) {
      await patience.after(error)
    }
  }
}

/** Bytes of what is at a URL, when the server says so; its content is let go. */
export const sizeAt = (session: Connected, url: string): Promise<number | undefined> =>
  retry(patienceFor(session, url), async () => {
    const response = await getFollowing(session.http, url, { signal: session.signal })
    await response.discard()
    const length = response.headers.get('content-length')
    return length !== null && /^\d+$/.test(length) ? Number(length) : undefined
  })

// --- internal ---

const patienceFor = ({ emit, signal }: Connected, url: string): Patience =>
  createPatience({
    signal,
    judge,
    onRetry: (attempt, waitMs, error) => {
      emit({
        type: 'retry',
        host: new URL(url).host,
        what: redactUrl(url),
        attempt,
        waitMs,
        reason: messageOf(error),
      })
    },
  })
