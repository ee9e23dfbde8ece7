import type { Piece, Shape } from '../binding.ts'
import { pathText, setAt, type Path, type Values } from '../tree.ts'

/** A leaf of the values that may end up in a reference. */
export interface Candidate {
  readonly path: Path
  /** Its text now; empty for null, "" and a leaf that values do not declare. */
  readonly value: string
  readonly declared: boolean
}

/** A candidate with a mark put into its value, to be found again in what the chart renders. */
export interface Sentinel {
  readonly candidate: Candidate
  /** Unique among all sentinels of a search. */
  readonly mark: string
  /** The value to render with: `before + inserted + after`. */
  readonly before: string
  readonly inserted: string
  readonly after: string
}

/** Gives each candidate a mark. The value keeps its beginning and its form, so that version checks still pass. */
export function sentinelsFor(
  candidates: readonly Candidate[],
  appVersion = '1.0.0',
  bareDigests = false,
): Sentinel[] {
  return candidates.map((candidate, at) => {
    const { value, path } = candidate
    const mark = `zq${at}qz`
    const made = (before: string, inserted: string, after: string): Sentinel => ({
      candidate,
      mark,
      before,
      inserted,
      after,
    })
    const key = String(path.at(-1))
    if (/^(?:sha256:)?[0-9a-f]{64}$/.test(value) || (value === '' && /digest|sha/i.test(key))) {
      const hex = `5e47${String(at).padStart(56, '0')}5e47`
      return {
        ...made(
          '',
          (value === '' && !bareDigests) || value.startsWith('sha256:') ? `sha256:${hex}` : hex,
          '',
        ),
        mark: hex,
      }
    }
    if (value === '') {
      if (/tag|version/i.test(key))
        return made('', `${VERSION.test(appVersion) ? appVersion : '1.0.0'}-${mark}`, '')
      if (/registry|hub|host/i.test(key)) return made('', `${mark}.example`, '')
      // A bare word is no reference everywhere; with a slash it is.
      return /image|img|repo/i.test(key) ? made('', `zq/${mark}`, '') : made('', mark, '')
    }
    const slash = value.lastIndexOf('/')
    const version = /[:@]/.exec(value.slice(slash + 1))
    if (version !== null && slash + version.index > 0) {
      const end = slash + 1 + version.index
      return made(value.slice(0, end), mark, value.slice(end))
    }
    if (/[-_./]$/.test(value)) return made(value, `${mark}${value.at(-1) ?? ''}`, '')
    return VERSION.test(value) ? made(value, `-${mark}`, '') : made(value, mark, '')
  })
}

/** A layer of values with the marks in place. */
export function markedValues(sentinels: readonly Sentinel[], base: Values): Values {
  const values: Values = {}
  for (const { candidate, before, inserted, after } of sentinels)
    setAt(values, candidate.path, before + inserted + after, base)
  return values
}

/** The text as it would be without the marks. */
export function unmarked(text: string, sentinels: readonly Sentinel[]): string {
  let plain = text
  for (const { mark, inserted, candidate, before, after } of sentinels) {
    if (!plain.includes(mark)) continue
    plain = plain
      .replaceAll(before + inserted + after, candidate.value)
      .replaceAll(inserted, '')
      .replaceAll(mark, '')
  }
  return plain
}

/** The sentinels whose marks a text holds. */
export const marksIn = (text: string, sentinels: readonly Sentinel[]): Sentinel[] =>
  /zq\d+qz|5e47/.test(text) ? sentinels.filter(({ mark }) => text.includes(mark)) : []

/** Takes a marked reference apart: which run of it came out of which leaf. */
export function shapeOf(token: string, sentinels: readonly Sentinel[]): Shape {
  const runs: { piece: Piece; marked: string }[] = []
  let rest = 0
  for (const { at, sentinel } of occurrences(token, sentinels)) {
    const { before, inserted, after, mark, candidate } = sentinel
    const whole = inserted !== mark && token.startsWith(inserted, at - inserted.indexOf(mark))
    const start = whole ? at - inserted.indexOf(mark) : at
    const end = whole ? start + inserted.length : at + mark.length
    const [, scheme = '', plain = before] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/.exec(before) ?? []
    const left = Math.max(rest, start - commonEnd(token.slice(rest, start), plain))
    const right = end + commonStart(token.slice(end), after)
    if (left > rest) runs.push({ piece: { text: token.slice(rest, left) }, marked: token.slice(rest, left) })
    runs.push({
      piece: {
        text: /^(?:sha256:)?[0-9a-f]{64}$/.test(inserted)
          ? candidate.value
          : token.slice(left, start) + token.slice(end, right),
        leaf: candidate.path,
        ...(scheme === '' || left > 0 ? {} : { scheme }),
      },
      marked: token.slice(left, right),
    })
    rest = right
  }
  if (rest < token.length) runs.push({ piece: { text: token.slice(rest) }, marked: token.slice(rest) })
  return split(runs, token)
}

/** The leaves of a shape, each once. */
export function leavesOfShape({ name, tag, digest }: Shape): Path[] {
  const leaves = new Map<string, Path>()
  for (const { leaf } of [...name, ...tag, ...digest])
    if (leaf !== undefined) leaves.set(pathText(leaf), leaf)
  return [...leaves.values()]
}

// --- internal ---

const VERSION = /^v?\d+(?:\.\d+)*(?:[-+][0-9A-Za-z.-]+)?$/

function occurrences(token: string, sentinels: readonly Sentinel[]): { at: number; sentinel: Sentinel }[] {
  const found: { at: number; sentinel: Sentinel }[] = []
  for (const sentinel of sentinels) {
    for (let at = token.indexOf(sentinel.mark); at >= 0; at = token.indexOf(sentinel.mark, at + 1))
      found.push({ at, sentinel })
  }
  return found.toSorted((a, b) => a.at - b.at)
}

function commonEnd(text: string, ending: string): number {
  let length = 0
  while (length < Math.min(text.length, ending.length) && text.at(-1 - length) === ending.at(-1 - length))
    length += 1
  // Only the whole value counts: a part of it was cut or changed by the template.
  return length === ending.length ? length : 0
}

function commonStart(text: string, beginning: string): number {
  return text.startsWith(beginning) ? beginning.length : 0
}

/** Cuts the runs where the name ends and where the tag ends; a leaf that holds both gives a piece to each. */
function split(runs: readonly { piece: Piece; marked: string }[], token: string): Shape {
  const at = token.indexOf('@')
  const digestStart = at < 0 ? token.length : at
  const named = token.slice(0, digestStart)
  const colon = named.lastIndexOf(':')
  const nameEnd = colon > named.lastIndexOf('/') ? colon : digestStart
  const parts: { name: Piece[]; tag: Piece[]; digest: Piece[] } = { name: [], tag: [], digest: [] }
  let start = 0
  for (const { piece, marked } of runs) {
    const end = start + marked.length
    const cuts = [
      { into: parts.name, from: 0, to: nameEnd },
      { into: parts.tag, from: nameEnd + 1, to: digestStart },
      { into: parts.digest, from: digestStart + 1, to: token.length },
    ]
    const inside = cuts.filter(({ from, to }) => start < to && end > from)
    for (const { into, from, to } of inside) {
      const text =
        inside.length === 1
          ? withoutSeparator(piece, marked, start, from, to)
          : cut(piece, from, to, start, marked)
      if (text !== '' || piece.leaf !== undefined) into.push({ ...piece, text })
    }
    start = end
  }
  return parts
}

/** A template's own `:v` is the separator and the beginning of the tag. */
function withoutSeparator(piece: Piece, marked: string, start: number, from: number, to: number): string {
  if (piece.leaf !== undefined) return piece.text
  return marked.slice(Math.max(0, from - start), to - start)
}

function cut(piece: Piece, from: number, to: number, start: number, marked: string): string {
  if (piece.leaf === undefined) return marked.slice(Math.max(0, from - start), Math.max(0, to - start))
  // The value's own text, cut at its own separators.
  const [named = '', digest = ''] = piece.text.split('@')
  const colon = named.lastIndexOf(':')
  const tagged = colon > named.lastIndexOf('/')
  if (from === 0) return tagged ? named.slice(0, colon) : named
  return marked.slice(from - start, to - start).includes(digest) && digest !== ''
    ? digest
    : tagged
      ? named.slice(colon + 1)
      : ''
}
