import { createLanes, type WindowSource } from './lanes.ts'
import type { Bytes } from './bytes.ts'

export interface WindowOptions {
  /** First byte that is wanted. */
  readonly start: number
  /** Bytes of the whole. */
  readonly size: number
  /** Room for one more connection, to be given back; undefined when there is none at the moment. */
  readonly spare: () => (() => void) | undefined
  readonly now?: () => number
}

/** The server answers a range with something else: the content is to be fetched on one connection. */
export class RangesRefused extends Error {
  override readonly name = 'RangesRefused'
}

/** Eight of them, waiting for their turn, stay within the memory of an export, an import or a check. */
const WINDOW = 3 * 1024 * 1024

/** Smaller contents are fetched on one connection: there would be little to win, and requests have a price too. */
export const LARGE = 64 * 1024 * 1024

/**
 * The bytes from `start` to the end, in order, over several connections where that helps: object stores and CDNs give
 * each so much and no more. What comes before its turn waits in memory, within a budget that all contents of the process
 * share. The first window shows what one connection gives: where that is as much as
 * this program can take, the rest comes on it alone; so it does when several together give hardly more, or when the
 * server knows no ranges. A window that is waited for while all others are there goes to another connection.
 */
export async function* inWindows(source: WindowSource, options: WindowOptions): Bytes {
  const { start, size, spare, now = () => performance.now() } = options
  if (size - start < LARGE) {
    yield* source.rest(start)
    return
  }
  const lanes = createLanes(source, { size, spare, now, windowSize: WINDOW })
  let at = start
  lanes.begin(start)
  try {
    for (;;) {
      const piece = await lanes.next()
      if (piece === undefined) break
      at += piece.length
      yield piece
    }
  } catch (error) {
    if (!(error instanceof RangesRefused)) throw error
  } finally {
    lanes.abandon()
  }
  if (at < size) yield* source.rest(at)
}
