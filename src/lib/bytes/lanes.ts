import { PIECE, release } from './buffers.ts'
import type { Bytes } from './bytes.ts'
import { append } from './pieces.ts'

/** A content that can be had in windows. */
export interface WindowSource {
  /** Bytes `start` to `end`, on one connection. @throws RangesRefused where a server does not send ranges */
  readonly range: (start: number, end: number) => Bytes
  /** All bytes from `start` on, on one connection. */
  readonly rest: (start: number) => Bytes
}

export interface Lanes {
  begin(at: number): void
  /** The next bytes in order; undefined at the end. */
  next(): Promise<Uint8Array | undefined>
  abandon(): void
}

export interface LaneOptions {
  /** Bytes of the whole. */
  readonly size: number
  readonly spare: () => (() => void) | undefined
  readonly now: () => number
  /** Bytes of a window. */
  readonly windowSize: number
}

/** The connections of one content. */
export function createLanes({ range }: WindowSource, { size, spare, now, windowSize }: LaneOptions): Lanes {
  const windows: Window[] = []
  let next = 0
  let running = 0
  let wanted = 1
  let left = false
  /** Bytes a second that the first connection gave alone. */
  let single: number | undefined
  let alone = false
  let judgedAt = 0
  let arrived = 0
  let slowest = 0
  let bell = Promise.withResolvers<void>()
  const ring = (): void => {
    bell.resolve()
    bell = Promise.withResolvers<void>()
  }

  const open = (from: number, length: number, giveBack: () => void): void => {
    const window: Window = {
      start: from,
      end: Math.min(from + length, size),
      pieces: [],
      got: 0,
      waiting: 0,
      done: false,
      error: undefined,
      turn: 0,
      restarts: 0,
      startedAt: now(),
    }
    windows.push(window)
    next = window.end
    fill(window, giveBack)
  }

  const fill = (window: Window, giveBack: () => void): void => {
    const { turn } = window
    running += 1
    const isCurrent = (): boolean => !left && window.turn === turn
    const work = async (): Promise<void> => {
      let firstAt: number | undefined
      const until = window.end
      for await (const chunk of range(window.start + window.got, until)) {
        if (!isCurrent()) return
        firstAt ??= now()
        const fresh = chunk.subarray(0, window.end - window.start - window.got)
        arrived += fresh.length
        append(window.pieces, fresh)
        window.got += fresh.length
        window.waiting += fresh.length
        release(chunk)
        if (single === undefined) judgeFirst(window.got, now() - firstAt)
        ring()
        // One that was not shortened is read to its end, so that its connection can be used again.
        if (window.end < until && window.start + window.got >= window.end) break
        // Of a long window only so much waits; one that is complete keeps no connection waiting.
        const isComplete = (): boolean => window.start + window.got >= window.end
        while (isCurrent() && window.waiting >= windowSize && !isComplete()) await bell.promise
      }
      if (!isCurrent()) return
      if (window.start + window.got < window.end) throw new Error('a window ended before its end')
      if (single === undefined) judgeFirst(windowSize, now() - (firstAt ?? now()))
      window.done = true
      slowest = Math.max(slowest, now() - window.startedAt)
    }
    work()
      .catch((why: unknown) => {
        if (isCurrent()) window.error = { why }
      })
      .finally(() => {
        running -= 1
        giveBack()
        if (!left) advance()
        ring()
      })
  }

  /** What one connection gives, from the first bytes of the first window. */
  const judgeFirst = (bytes: number, ms: number): void => {
    if (ms < LEAST_MS && bytes < windowSize - PIECE) return
    single = (bytes / Math.max(ms, 1)) * 1000
    if (single >= FAST) alone = true
    else wanted = MOST_LANES
    judgedAt = now()
    arrived = 0
    advance()
  }

  /** Whether several connections give more than one did, once each has had the time for a window. */
  const judgeAll = (): void => {
    if (single === undefined || alone || wanted === 1) return
    const ms = now() - judgedAt
    if (running < 2 || arrived < windowSize * MOST_LANES || ms < LEAST_MS) return
    if ((arrived / ms) * 1000 < single * WORTH) alone = true
    judgedAt = Infinity
  }

  const advance = (): void => {
    if (alone) return
    while (!left && next < size && running < wanted) {
      // The window whose turn it is always has its place, so that a budget that others hold never stops a content.
      if (windows.length > 0 && held + windowSize > BUDGET) return
      // The transfer has a slot of its own; every further connection needs one that is free.
      const giveBack = spare()
      if (running > 0 && giveBack === undefined) return
      if (running === 0) giveBack?.()
      held += windowSize
      if (running === 0) open(next, wanted > 1 && giveBack === undefined ? LONG : windowSize, () => undefined)
      else if (giveBack !== undefined) {
        shorten()
        open(next, windowSize, giveBack)
      }
    }
  }

  /** More connections came while one was at a long window: what it has not reached is shared out. */
  const shorten = (): void => {
    const last = windows.at(-1)
    if (last === undefined || last.done) return
    last.end = Math.min(last.end, last.start + Math.ceil((last.got + 1) / windowSize) * windowSize)
    next = last.end
  }

  /** The window at the front holds everything up: the rest of it is asked for again, on another connection. */
  const restart = (window: Window): void => {
    window.turn += 1
    window.restarts += 1
    fill(window, () => undefined)
  }
  const isStuck = (window: Window): boolean =>
    windows.length > 1 &&
    windows.every((one) => one === window || one.done) &&
    window.restarts < MOST_RESTARTS &&
    now() - window.startedAt > Math.max(PATIENCE_MS, slowest * 2) * (window.restarts + 1)

  const front = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      judgeAll()
      const [window] = windows
      if (window === undefined) return undefined
      const piece = window.pieces.shift()
      if (piece !== undefined) {
        window.waiting -= piece.length
        ring()
        advance()
        return piece
      }
      if (window.error !== undefined) throw window.error.why
      if (window.done) {
        windows.shift()
        held -= windowSize
        advance()
        continue
      }
      if (isStuck(window)) restart(window)
      await Promise.race([bell.promise, after(PATIENCE_MS / 4)])
    }
  }

  return {
    begin(at) {
      next = at
      advance()
    },
    next: front,
    abandon() {
      left = true
      for (const { pieces } of windows) for (const piece of pieces) release(piece)
      held -= windows.length * windowSize
      windows.length = 0
    },
  }
}

// --- internal ---

const MIB = 1024 * 1024
/** Of a content that has one connection for the moment: longer, because each window costs a round trip. */
const LONG = 64 * MIB
/** Connections of one content; more only make the windows of each smaller. */
const MOST_LANES = 8
/** Bytes that wait for their turn or are on their way there, of all contents of the process. */
const BUDGET = 24 * MIB
/** From here on one connection is as fast as the program hashes and writes; bytes a second. */
const FAST = 200 * 1000 * 1000
/** What several connections together have to give more than one, to be worth having. */
const WORTH = 1.3
/** As long as this nothing is concluded from a speed, milliseconds. */
const LEAST_MS = 50
/** A window that is waited for this long, and twice as long as others took, is given to another connection. */
const PATIENCE_MS = 1500
const MOST_RESTARTS = 2

let held = 0

interface Window {
  readonly start: number
  /** A long window ends sooner when more connections come. */
  end: number
  readonly pieces: Uint8Array[]
  /** Bytes that arrived, and of those the ones that wait for their turn. */
  got: number
  waiting: number
  done: boolean
  error: { readonly why: unknown } | undefined
  /** Of the connection that fills it; an older one is not listened to. */
  turn: number
  restarts: number
  readonly startedAt: number
}

async function after(ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
