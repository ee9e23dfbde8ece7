/**
 * Takes note of what was used to log in, so that `hideSecrets` knows it wherever it comes back: what a registry, a
 * store or a proxy says is not ours, and some say back what they were sent. Short ones are words of a language.
 */
export function noteSecret(...values: readonly (string | undefined)[]): void {
  for (const value of values) {
    if (value === undefined || value.length < SHORTEST) continue
    for (const form of [value, encodeURIComponent(value)]) {
      // What was noted last is kept longest: tokens follow each other for hours.
      noted.delete(form)
      noted.add(form)
    }
  }
  for (const oldest of noted) {
    if (noted.size <= MOST) break
    noted.delete(oldest)
  }
}

/** Text without what was noted, also where its end is cut off. */
export function hideSecrets(text: string): string {
  let shown = text
  for (const secret of noted) {
    const head = secret.slice(0, HEAD)
    for (let at = shown.indexOf(head); at >= 0; at = shown.indexOf(head, at + HIDDEN.length)) {
      let end = at + head.length
      while (end - at < secret.length && shown[end] === secret[end - at]) end += 1
      shown = `${shown.slice(0, at)}${HIDDEN}${shown.slice(end)}`
    }
  }
  return shown
}

// --- internal ---

const HIDDEN = '***'
const SHORTEST = 8
const HEAD = 16
const MOST = 1000
const noted = new Set<string>()
