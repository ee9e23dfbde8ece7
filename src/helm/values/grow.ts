/** The largest set of items found to work together, and what it gave. */
export interface Grown<Item, Result> {
  readonly accepted: readonly Item[]
  readonly rejected: readonly Item[]
  readonly result: Result
}

/**
 * Tries all items at once and, when they fail, halves them until the ones that fail are known. `budget` limits the
 * tries; what is not tried by then is rejected.
 */
export async function grow<Item, Result>(
  items: readonly Item[],
  attempt: (items: readonly Item[]) => Promise<Result | undefined>,
  nothing: Result,
  budget = 40,
): Promise<Grown<Item, Result>> {
  let left = budget
  let accepted: readonly Item[] = []
  let result = nothing
  const rejected: Item[] = []
  const add = async (more: readonly Item[]): Promise<void> => {
    if (more.length === 0) return
    left -= 1
    const tried = left < 0 ? undefined : await attempt([...accepted, ...more])
    if (tried !== undefined) {
      accepted = [...accepted, ...more]
      result = tried
    } else if (more.length === 1 || left < 0) rejected.push(...more)
    else {
      const half = Math.ceil(more.length / 2)
      await add(more.slice(0, half))
      await add(more.slice(half))
    }
  }
  await add(items)
  return { accepted, rejected, result }
}
