/** Runs at most `limit` tasks at a time; of those that wait, the heaviest goes first. */
export interface Pool {
  run<T>(task: () => Promise<T>, weight?: number): Promise<T>
}

/**
 * Largest first, because the tail decides the total time: one 2 GiB layer started last is waited for alone.
 */
export function createPool(limit: number): Pool {
  let running = 0
  const waiting: { weight: number; start: () => void }[] = []

  /** Hands this task's slot to the heaviest that waits, or gives it back. */
  const release = (): void => {
    let heaviest = 0
    for (let at = 1; at < waiting.length; at += 1) {
      if ((waiting[at]?.weight ?? 0) > (waiting[heaviest]?.weight ?? 0)) heaviest = at
    }
    const [chosen] = waiting.splice(heaviest, 1)
    if (chosen === undefined) running -= 1
    else chosen.start()
  }

  return {
    async run(task, weight = 0) {
      if (running < limit) running += 1
      else {
        await new Promise<void>((start) => {
          waiting.push({ weight, start })
        })
      }
      try {
        return await task()
      } finally {
        release()
      }
    },
  }
}
