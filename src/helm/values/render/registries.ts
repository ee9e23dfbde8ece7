import { looksLikeRegistry, type Mention } from '../reference-text.ts'

/**
 * Registries without a repository in a text, with or without the beginning of a path: the program that reads them adds
 * the names. `stem` where the place speaks of a registry; elsewhere only the host itself says that it is one.
 * @param place the name of the field, the variable or the flag
 * @param references what else stands in the text
 */
export function registriesIn(text: string, place: string, references: readonly Mention[]): Mention[] {
  if (text.length > LONGEST || !text.includes('.')) return []
  const whole = text.trim()
  const found: Mention[] = []
  const add = (one: string, start: number, label: string): void => {
    const isTaken = references.some(
      (other) => start < other.start + other.text.length && start + one.length > other.start,
    )
    const judged = isTaken ? undefined : looksLikeRegistry(one, label)
    if (judged === 'named') found.push({ start, text: one, stem: true })
    else if (judged === 'host') found.push({ start, text: one, versionless: true })
  }
  if (!/\s/.test(whole) && !/[=,]/.test(whole)) add(whole, text.indexOf(whole), place)
  else
    for (const match of text.matchAll(LABELLED)) {
      const [all, label = '', value = ''] = match
      add(value, match.index + all.length - value.length, label)
    }
  return found
}

// --- internal ---

const LONGEST = 500_000
/** `registry: quay.io`, `"hub":"gcr.io/team"`, `--image-registry=quay.io`, `REGISTRY=quay.io`. */
const LABELLED =
  /([A-Za-z_][\w.-]*)["']?\s*[:=]\s*["']?((?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)?(?:\/[a-z0-9._/-]*)?)(?=["']?(?:[\s,}\]&;]|$))/g
