/** Memory for parts on their way: a few buffers that are used again and again. */
export interface PartBuffers {
  /** Waits until one is free. */
  take(): Promise<Uint8Array>
  give(buffer: Uint8Array): void
}

export function createPartBuffers(count: number, size: number): PartBuffers {
  const free: Uint8Array[] = []
  const waiting: ((buffer: Uint8Array) => void)[] = []
  let made = 0
  return {
    async take() {
      const found = free.pop()
      if (found !== undefined) return found
      if (made < count) {
        made += 1
        return new Uint8Array(size)
      }
      return new Promise((resolve) => waiting.push(resolve))
    },
    give(buffer) {
      const next = waiting.shift()
      if (next === undefined) free.push(buffer)
      else next(buffer)
    },
  }
}
