import type { Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError } from '../../lib/errors.ts'

/** Content that comes once, for an upload that may have to start again. */
export interface Passage {
  /**
   * The content from byte `start` on. May be opened again as long as what has passed is still kept.
   * @throws when it is not
   */
  open(start?: number): Promise<Bytes>
  /** Resolves when nothing is left to come, or what came is wrong. */
  readonly over: Promise<void>
  /** Nothing more is read; what was not read is left to whoever owns the content. */
  close(): Promise<void>
}

/** So much of the beginning is kept: most uploads that fail do so before they have come far. */
const KEPT = 8 * 1024 * 1024
const PIECE = 256 * 1024

/** @param content verified while it is read */
export function createPassage(content: Bytes, size: number): Passage {
  const iterator = content[Symbol.asyncIterator]()
  const over = Promise.withResolvers<void>()
  let kept: Uint8Array<ArrayBuffer> | undefined = new Uint8Array(Math.min(KEPT, size))
  let passed = 0
  let isClosed = false
  let pulling: Promise<Uint8Array | undefined> | undefined

  /** Who gave up an upload may still wait for a piece; the next one must not lose it. */
  const pull = (): Promise<Uint8Array | undefined> => {
    pulling ??= advance().finally(() => (pulling = undefined))
    return pulling
  }
  const advance = async (): Promise<Uint8Array | undefined> => {
    if (isClosed) throw gone(passed)
    try {
      const { done, value } = await iterator.next()
      if (done === true) {
        over.resolve()
        return undefined
      }
      if (kept !== undefined && passed + value.length <= kept.length) kept.set(value, passed)
      else forget()
      passed += value.length
      return value
    } catch (error) {
      over.resolve()
      throw error
    }
  }
  const forget = (): void => {
    kept?.buffer.transfer(0)
    kept = undefined
  }

  return { open: async (start = 0) => read(start), over: over.promise, close }

  async function* read(start: number): Bytes {
    for (let at = start; ;) {
      if (at < passed) {
        if (kept === undefined) throw gone(passed)
        const piece = kept.slice(at, Math.min(at + PIECE, passed))
        at += piece.length
        yield piece
        continue
      }
      const before = passed
      const piece = await pull()
      if (piece === undefined) return
      if (passed <= at || before + piece.length !== passed) continue
      const fresh = piece.subarray(at - before)
      at = passed
      yield fresh
    }
  }

  async function close(): Promise<void> {
    isClosed = true
    // Who asked for the piece hears of its failure.
    await Promise.allSettled([pulling])
    if (passed < size) forget()
  }
}

// --- internal ---

const gone = (passed: number): BundleError =>
  new BundleError(
    `the upload was interrupted, and the ${passed} bytes before it came through a pipe only once`,
    {
      kind: 'network',
      next: 'send the bundle through the pipe again: what is in the registry by then is not pushed again',
    },
  )
