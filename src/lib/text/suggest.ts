/** The candidate that `word` is most likely a slip of, or undefined when none is near enough to be worth saying. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const known = candidate.toLowerCase()
    // Somebody who typed the beginning of a long name means that name, however much is missing.
    const distance = wanted.length >= 3 && known.startsWith(wanted) ? 1 : editDistance(wanted, known)
    // Of two that are as near, people rather get the first letter right.
    const nearer = distance === least && best !== undefined && best[0] !== word[0] && candidate[0] === word[0]
    if (distance < least || nearer) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** `did you mean x?`, or undefined. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ''): string | undefined {
  const found = suggest(word, candidates)
  return found === undefined ? undefined : `did you mean ${prefix}${found}?`
}

// --- internal ---

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      next.push(cost)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
