import type { Bytes } from '../bytes/bytes.ts'
import type { Patience } from '../retry.ts'

/** What a request gave. */
export interface Stretch {
  readonly body: Bytes
  /** Bytes of it that lie before the ones that were asked for: a server that knows no ranges begins again from the start. */
  readonly before: number
}

export interface ResumeOptions {
  readonly start: number
  /** Where the content ends, bytes. Without it, a body that ends is the end. */
  readonly end?: number
  readonly patience: Patience
  /** So many bytes are progress: patience begins again from the start. */
  readonly progress: number
  /** Requests the content from byte `at` on. */
  readonly open: (at: number) => Promise<Stretch>
  /** The error for a body that ended at byte `at`, before `end`. */
  readonly cutShort?: (at: number) => Error
  /** The error for a body that goes on behind `end`. */
  readonly tooLong?: () => Error
  /** What to do about an error before the next request: waits, or throws what ends it all. */
  readonly failed?: (error: unknown) => Promise<void>
}

/** Content in one piece, in as many requests as it takes: after a cut or a stall it continues where it stopped. */
export async function* resumed(options: ResumeOptions): Bytes {
  const { start, end, patience, progress, open } = options
  const { cutShort = neverEnds, tooLong = neverEnds, failed = (error) => patience.after(error) } = options
  let at = start
  let advanced = 0
  while (end === undefined || at < end) {
    try {
      const { body, before } = await open(at)
      let skip = before
      for await (const chunk of body) {
        const fresh = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length))
        skip -= chunk.length - fresh.length
        if (fresh.length === 0) continue
        at += fresh.length
        if (end !== undefined && at > end) throw tooLong()
        advanced += fresh.length
        if (advanced >= progress) {
          patience.progressed()
          advanced = 0
        }
        yield fresh
      }
      if (end === undefined) return
      if (at < end) throw cutShort(at)
    } catch (error) {
      await failed(error)
    }
  }
}

// --- internal ---

const neverEnds = (): Error => new Error('content whose end is known needs words for a wrong end')
