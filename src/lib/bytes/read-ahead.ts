import type { Bytes } from './bytes.ts'

/** Content that is opened ahead of its turn. */
export interface Lane {
  /** Bytes that may wait for their turn. All of a lane that has no more is read before its turn. */
  readonly window: number
  readonly open: () => Bytes
}

export interface ReadAheadOptions {
  /** Lanes that are read at a time. */
  readonly concurrency: number
  /** Bytes that wait for their turn, of all lanes together. */
  readonly budget: number
}

/**
 * The content of each lane in turn, while those that come next are read already: what is slow to open or to arrive
 * has its time before it is asked for. Each lane has to be read to its end before the next is asked for. Memory is
 * bounded, and a slow reader is waited for. A lane that fails does so in its turn.
 */
export async function* readAhead(lanes: readonly Lane[], options: ReadAheadOptions): AsyncGenerator<Bytes> {
  const { concurrency, budget } = options
  const opened: Opened[] = []
  let next = 0
  let held = 0
  let running = 0
  let left = false
  const advance = (): void => {
    for (; !left && next < lanes.length && running < concurrency; next += 1) {
      const lane = lanes[next]
      if (lane === undefined) break
      // Whose turn it is always has its share, so that those behind it never keep it waiting.
      if (opened.length > 0 && held + lane.window > budget) break
      held += lane.window
      running += 1
      const over = (): void => {
        running -= 1
        advance()
      }
      opened.push(openLane(lane, over))
    }
  }
  try {
    for (;;) {
      advance()
      const [lane] = opened
      if (lane === undefined) return
      yield lane.content
      opened.shift()
      held -= lane.window
    }
  } finally {
    left = true
    for (const lane of opened) lane.abandon()
  }
}

// --- internal ---

interface Opened {
  readonly window: number
  readonly content: Bytes
  /** Nobody reads on: lets go of the source as soon as it says something. */
  readonly abandon: () => void
}

function openLane({ open, window }: Lane, over: () => void): Opened {
  const pieces: Uint8Array[] = []
  let waiting = 0
  let end: { readonly error?: unknown } | undefined
  let abandoned = false
  const arrived = createBell()
  const room = createBell()

  const fill = async (): Promise<void> => {
    for await (const piece of open()) {
      if (abandoned) return
      pieces.push(piece)
      waiting += piece.length
      arrived.ring()
      while (waiting > window && !abandoned) await room.rung()
    }
  }
  const settle = (how: { readonly error?: unknown }): void => {
    end = how
    arrived.ring()
    over()
  }
  fill().then(
    () => settle({}),
    (error: unknown) => settle({ error }),
  )
  return { window, content: read(), abandon }

  async function* read(): Bytes {
    for (;;) {
      const piece = pieces.shift()
      if (piece !== undefined) {
        waiting -= piece.length
        room.ring()
        yield piece
      } else if (end === undefined) await arrived.rung()
      else if ('error' in end) throw end.error
      else return
    }
  }

  function abandon(): void {
    abandoned = true
    pieces.length = 0
    room.ring()
  }
}

interface Bell {
  ring(): void
  /** Resolves at the next ring. */
  rung(): Promise<void>
}

function createBell(): Bell {
  let next = Promise.withResolvers<void>()
  return {
    ring() {
      next.resolve()
      next = Promise.withResolvers<void>()
    },
    rung: () => next.promise,
  }
}
