/** Runs tasks as long as there is room for them; of those that wait, the heaviest goes first. */
export interface Pool {
  /** @param task what it is given, it may call once its weight is off it: from then on it takes as little room as any */
  run<T>(task: (relieved: () => void) => Promise<T>, weight?: number): Promise<T>
  /** Takes room that nobody waits for, until what it gives is called; undefined when there is none. */
  spare(): (() => void) | undefined
}

/**
 * Largest first, because the tail decides the total time: one 2 GiB layer started last is waited for alone.
 * @param room of all tasks at a time
 * @param costOf the part of the room that a task of that weight takes
 */
export function createPool(room: number, costOf: (weight: number) => number = () => 1): Pool {
  let free = room
  /** The heaviest last; of the equally heavy, who came first. */
  const waiting: { readonly weight: number; readonly start: () => void }[] = []

  const enter = (weight: number): Promise<void> =>
    new Promise((start) => {
      let [low, high] = [0, waiting.length]
      while (low < high) {
        const middle = (low + high) >> 1
        if ((waiting[middle]?.weight ?? 0) < weight) low = middle + 1
        else high = middle
      }
      waiting.splice(low, 0, { weight, start })
    })
  /** A heavy task that does not fit yet is not overtaken, or it might wait for ever. */
  const admit = (): void => {
    for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
      const cost = costOf(next.weight)
      if (cost > free) return
      free -= cost
      waiting.pop()
      next.start()
    }
  }

  return {
    spare() {
      if (waiting.length > 0 || free < 1) return undefined
      free -= 1
      let isHeld = true
      return () => {
        if (isHeld) free += 1
        isHeld = false
        admit()
      }
    },
    async run(task, weight = 0) {
      const entered = enter(weight)
      admit()
      await entered
      let held = costOf(weight)
      const keep = (cost: number): void => {
        free += held - cost
        held = cost
        admit()
      }
      try {
        return await task(() => keep(Math.min(held, costOf(0))))
      } finally {
        keep(0)
      }
    },
  }
}

/**
 * For transfers, `limit` at a time, with their bytes as weight. Small ones are more asked for and answered than
 * carried, above all where the registry is far: each MiB begun counts for a quarter of a transfer, up to a whole one.
 * So does one that is sent and waits for the registry to put it on its disk.
 */
export const createTransferPool = (limit: number): Pool => {
  const least = limit / mostAtOnce(limit)
  return createPool(limit, (bytes) => Math.min(1, least * Math.ceil((bytes + 1) / SMALL)))
}

/** Transfers at a time when all are small. Who says one at a time means it. */
export const mostAtOnce = (limit: number): number =>
  limit === 1 ? 1 : Math.max(limit, Math.min(limit * SMALL_PER_LARGE, MOST_SMALL))

// --- internal ---

const SMALL = 1024 * 1024
const SMALL_PER_LARGE = 4
/** Sockets, and requests that a registry sees at once. */
const MOST_SMALL = 64
