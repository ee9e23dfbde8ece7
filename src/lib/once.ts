/** Runs a task once per key and shares its promise; forgets a failure, so that another caller may try again. */
export type Once<T> = (key: string, task: () => Promise<T>) => Promise<T>

export function createOnce<T>(): Once<T> {
  const known = new Map<string, Promise<T>>()
  return (key, task) => {
    const before = known.get(key)
    if (before !== undefined) return before
    const promise = task().catch((error: unknown) => {
      known.delete(key)
      throw error
    })
    known.set(key, promise)
    return promise
  }
}
