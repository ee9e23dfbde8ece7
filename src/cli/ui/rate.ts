/** Bytes per second over the last seconds. */
export interface Rate {
  add(bytes: number, now: number): void
  /** Undefined until there is enough to go by. */
  perSecond(now: number): number | undefined
}

/** The sliding window, in buckets so that a chunk costs nothing. Ten seconds are calm and still follow a change. */
const bucketMs = 500
const buckets = 20

/** A moving average. Times are milliseconds of a monotonic clock. */
export function createRate(): Rate {
  const counts = new Map<number, number>()
  let first: number | undefined
  return {
    add(bytes, now) {
      first ??= now
      const bucket = Math.floor(now / bucketMs)
      counts.set(bucket, (counts.get(bucket) ?? 0) + bytes)
      for (const old of counts.keys()) {
        if (old > bucket - buckets) break
        counts.delete(old)
      }
    },
    perSecond(now) {
      if (first === undefined) return undefined
      const span = Math.min(now - first, buckets * bucketMs)
      if (span < 2 * bucketMs) return undefined
      const oldest = Math.floor((now - span) / bucketMs)
      let bytes = 0
      for (const [bucket, count] of counts) if (bucket >= oldest) bytes += count
      return (bytes / span) * 1000
    },
  }
}
