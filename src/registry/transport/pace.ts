/** Lets requests to one host through at the pace the host bears. Shared by everything that talks to that host. */
export interface Gate {
  /** Waits for a turn, runs the exchange, and gives the turn back when the head of the answer is there. */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** The host answered "too many" to an exchange begun at `startedAt`: fewer at once from now on, and more slowly. */
  throttled(startedAt: number): void
  /** Nothing starts for `waitMs`. */
  pause(waitMs: number): void
  /** An exchange went well: the pace recovers a little. */
  succeeded(): void
  /** What is allowed now: requests at once, and milliseconds between their starts. */
  pace(): { readonly limit: number; readonly intervalMs: number }
}

/** Requests at once: additive increase, multiplicative decrease, as TCP does, for the same reason. */
const SHRINK = 0.5
/**
 * Their rate settles where about a third is refused: a host that refuses so many whatever the rate is not slowed down
 * without end, and one that counts per second is asked little more often than it allows.
 */
const SLOWER = 1.5
const FASTER = 0.8
const FIRST_INTERVAL = 25
/** The lowest rate known: public.ecr.aws, anonymously. */
const MAX_INTERVAL = 1_000
const NO_INTERVAL = 5

export function createGate(limit: number): Gate {
  let allowed = limit
  let intervalMs = 0
  let running = 0
  let nextStart = 0
  let pausedUntil = 0
  let lowered = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | undefined
  const waiting = new Set<() => void>()

  const pump = (): void => {
    clearTimeout(timer)
    timer = undefined
    for (const start of waiting) {
      if (running >= Math.max(1, Math.floor(allowed))) return
      const now = performance.now()
      const at = Math.max(nextStart, pausedUntil)
      if (at > now) {
        timer = setTimeout(pump, at - now)
        return
      }
      running += 1
      nextStart = now + intervalMs
      waiting.delete(start)
      start()
    }
  }

  const turn = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const start = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      // Who is cancelled gets through at once and learns it from the exchange, which does not start.
      const leave = (): void => {
        waiting.delete(start)
        running += 1
        resolve()
      }
      waiting.add(start)
      if (signal?.aborted === true) {
        leave()
        return
      }
      signal?.addEventListener('abort', leave, { once: true })
      pump()
    })

  return {
    async run(task, signal) {
      await turn(signal)
      try {
        return await task()
      } finally {
        running -= 1
        pump()
      }
    },
    pause(waitMs) {
      pausedUntil = Math.max(pausedUntil, performance.now() + waitMs)
    },
    throttled(startedAt) {
      // What was on its way when the pace was lowered says nothing about the new pace.
      if (startedAt < lowered) return
      lowered = performance.now()
      allowed = Math.max(1, allowed * SHRINK)
      intervalMs = Math.min(MAX_INTERVAL, Math.max(FIRST_INTERVAL, intervalMs * SLOWER))
    },
    succeeded() {
      allowed = Math.min(limit, allowed + 1 / allowed)
      intervalMs = intervalMs < NO_INTERVAL ? 0 : intervalMs * FASTER
    },
    pace: () => ({ limit: Math.max(1, Math.floor(allowed)), intervalMs }),
  }
}
