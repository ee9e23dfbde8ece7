import type { Bytes } from '../../lib/bytes/bytes.ts'
import { getFollowing, judge } from '../../lib/http/get.ts'
import { resumed } from '../../lib/http/resume.ts'
import { messageOf } from '../../lib/errors.ts'
import { createPatience, retry, type Patience } from '../../lib/retry.ts'
import { redactUrl } from '../../lib/url.ts'
import type { Network } from '../run/network.ts'

type Connected = Pick<Network, 'http' | 'emit' | 'signal'>

/**
 * Content at a URL from byte `start` on. After a cut it goes on where it stopped, by Range where the server knows
 * it, else by reading past what is there already.
 */
export const downloadFrom = (session: Connected, url: string, start = 0): Bytes =>
  resumed({
    start,
    patience: patienceFor(session, url),
    progress: 1,
    async open(at) {
      const headers = at === 0 ? {} : { range: `bytes=${at}-` }
      const { status, body } = await getFollowing(session.http, url, { headers, signal: session.signal })
      return { body, before: status === 206 ? 0 : at }
    },
  })

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
