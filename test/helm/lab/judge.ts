/**
 * Judges an override by text alone, with none of the search's own rules: which image references the objects of a
 * chart hold without it, and what stands in the same fields with it.
 */

/** A reference as an independent reader finds it. */
export interface Seen {
  readonly object: string
  readonly field: string
  readonly text: string
}

export interface Judgement {
  readonly bound: readonly Seen[]
  readonly left: readonly Seen[]
  /** Names the private registry in a way that no import put there. */
  readonly wrong: readonly Seen[]
}

export interface JudgedObject {
  readonly key: string
  readonly kind: string
  readonly object: Readonly<Record<string, unknown>>
}

/** Every reference in every string of every object. */
export function seenIn(objects: readonly JudgedObject[]): Seen[] {
  const found: Seen[] = []
  for (const { key, field, text, isImage } of stringsOf(objects)) {
    // Filled in by the search, because the chart demands a value: nobody's reference.
    if (text.includes('xmadeupx')) continue
    const texts = isImage ? [text.trim()] : [...text.matchAll(REFERENCE)].map(([whole]) => whole)
    for (const one of texts)
      if (isImage ? /^[a-z0-9]/.test(one) && !/[/:@]$|\/:/.test(one) : isWhole(one))
        found.push({ object: key, field, text: one })
  }
  return found
}

/** @param destinationOf the private reference of one as rendered; undefined when it is none */
export function judge(
  plain: readonly JudgedObject[],
  bound: readonly JudgedObject[],
  host: string,
  destinationOf: (text: string) => string | undefined,
): Judgement {
  const before = new Map<string, Seen[]>()
  for (const seen of seenIn(plain)) {
    const key = `${seen.object} ${seen.field}`
    before.set(key, [...(before.get(key) ?? []), seen])
  }
  const result = { bound: [] as Seen[], left: [] as Seen[], wrong: [] as Seen[] }
  const after = new Map<string, { object: string; field: string; text: string }>()
  for (const { key, field, text } of stringsOf(bound))
    after.set(`${key} ${field}`, { object: key, field, text })
  for (const [key, all] of before) {
    let rest = after.get(key)?.text
    if (rest === undefined) {
      result.left.push(...all)
      continue
    }
    for (const seen of all.toSorted((a, b) => b.text.length - a.text.length)) {
      const [at, want] = positionOf(rest, destinationOf(seen.text))
      if (at < 0) result.left.push(seen)
      else {
        result.bound.push(seen)
        rest = `${rest.slice(0, at)}\n${rest.slice(at + want.length)}`
      }
    }
  }
  for (const { object, field, text } of after.values()) {
    if (!text.includes(host)) continue
    for (const [whole] of text.matchAll(/[\w./:@-]+/g)) {
      const at = whole.indexOf(host)
      if (at > 0) result.wrong.push({ object, field, text: whole })
    }
  }
  return result
}

// --- internal ---

const REFERENCE =
  /(?<![\w./:@-])(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?\/)?[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*(?::[\w][\w.-]*)?(?:@sha256:[0-9a-f]{64})?(?![\w/])/g
const HOSTS =
  /^(?:docker\.io|quay\.io|ghcr\.io|gcr\.io|[a-z.]*\.?gcr\.io|registry\.k8s\.io|public\.ecr\.aws|mcr\.microsoft\.com|nvcr\.io|docker\.elastic\.co|cr\.[a-z.]+|registry\.[a-z0-9.-]+|docker\.[a-z0-9.-]+|images\.[a-z0-9.-]+|xpkg\.[a-z0-9.-]+|[0-9]+\.dkr\.ecr\.[a-z0-9.-]+)\//

const isWhole = (text: string): boolean =>
  /@sha256:[0-9a-f]{64}$/.test(text) ||
  (HOSTS.test(text) && /:[\w][\w.-]*$/.test(text)) ||
  /^[a-z0-9._-]+\/[a-z0-9._/-]+:v?\d+\.\d+[\w.-]*$/.test(text)

interface Text {
  readonly key: string
  readonly field: string
  readonly text: string
  readonly isImage: boolean
}

function* stringsOf(objects: readonly JudgedObject[]): Iterable<Text> {
  for (const { key, kind, object } of objects) {
    for (const { field, text } of walk(object, ''))
      yield { key, field, text, isImage: /ontainers\[[^\]]*\]\.image$/.test(field) && kind !== 'ConfigMap' }
  }
}

function* walk(value: unknown, field: string): Iterable<{ field: string; text: string }> {
  if (typeof value === 'string') yield { field, text: value }
  else if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      const name: unknown =
        typeof item === 'object' && item !== null ? (item as Record<string, unknown>).name : undefined
      yield* walk(item, `${field}[${typeof name === 'string' ? name : at}]`)
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value))
      if (!/^(?:labels|annotations|matchLabels)$/.test(key)) yield* walk(inner, `${field}.${key}`)
  }
}

/** Where a destination stands, its implied tag left out or not. */
function positionOf(text: string, want: string | undefined): readonly [number, string] {
  if (want === undefined) return [-1, '']
  for (const one of [want, want.replace(/:latest$/, ''), want.replace(/:[^:/@]+(?=@)/, '')]) {
    const at = text.indexOf(one)
    if (at >= 0) return [at, one]
  }
  return [-1, '']
}
