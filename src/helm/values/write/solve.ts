import type { Reference } from '../../../oci/reference.ts'
import { piecesText, type Piece, type Recipe } from '../binding.ts'
import type { Path } from '../tree.ts'

/** Values of the leaves of a name, changing as few as possible. */
export function solveName(
  pieces: readonly Piece[],
  name: string,
  forced: (path: Path) => string | undefined,
): { path: Path; value: string }[] | undefined {
  const at = pieces.findIndex(({ leaf }) => leaf !== undefined)
  const lead = pieces[at]?.leaf
  if (lead === undefined) return undefined
  const before = piecesText(pieces.slice(0, at))
  if (!name.startsWith(before)) return undefined
  const body = name.slice(before.length)
  const after = piecesText(pieces.slice(at + 1))
  const already = forced(lead)
  if (body.endsWith(after) && body.length > after.length) {
    const value = body.slice(0, body.length - after.length)
    if (already === undefined || already === value) return [{ path: lead, value }]
  }
  // The last leaf of the name takes what the leading one cannot.
  const last = pieces.findLastIndex(({ leaf }) => leaf !== undefined)
  const second = pieces[last]
  if (last === at || second?.leaf === undefined) return undefined
  const between = piecesText(pieces.slice(at + 1, last))
  const tail = piecesText(pieces.slice(last + 1))
  if (!body.endsWith(tail)) return undefined
  const rest = body.slice(0, body.length - tail.length)
  if (already !== undefined) {
    const start = already + between
    return rest.startsWith(start) && rest.length > start.length
      ? [
          { path: lead, value: already },
          { path: second.leaf, value: rest.slice(start.length) },
        ]
      : undefined
  }
  const parts = rest.split('/')
  const count = second.text.split('/').length
  const value = parts.slice(-count).join('/')
  const head = rest.slice(0, rest.length - value.length)
  if (!head.endsWith(between)) return undefined
  return [
    { path: lead, value: head.slice(0, head.length - between.length) },
    { path: second.leaf, value },
  ]
}

/** Sets the tag where it differs; gives the reason when it cannot. */
export function solveTag(
  pieces: readonly Piece[],
  spare: Recipe['tag'],
  target: Pick<Reference, 'tag'>,
  set: (path: Path, value: string) => string | undefined,
): string | undefined {
  const now = piecesText(pieces)
  const { tag } = target
  if (tag === undefined || tag === now || (now === '' && tag === 'latest')) return undefined
  const at = pieces.findIndex(({ leaf }) => leaf !== undefined)
  const leaf = pieces[at]?.leaf ?? spare?.path
  const before = at < 0 ? (spare?.before ?? '') : piecesText(pieces.slice(0, at))
  const after = at < 0 ? (spare?.after ?? '') : piecesText(pieces.slice(at + 1))
  if (leaf === undefined) return `the bundle has the tag "${tag}", and no value changes the tag "${now}"`
  if (!tag.startsWith(before) || !tag.endsWith(after) || tag.length <= before.length + after.length)
    return `the bundle has the tag "${tag}", but the template makes a tag like "${before}…${after}"`
  return set(leaf, tag.slice(before.length, tag.length - after.length))
}

/** Sets the digest where the chart has a place for one; gives the reason when it must and cannot. */
export function solveDigest(
  pieces: readonly Piece[],
  spare: Recipe['digest'],
  pinned: string,
  set: (path: Path, value: string) => string | undefined,
): string | undefined {
  const at = pieces.findIndex(({ leaf }) => leaf !== undefined)
  const leaf = pieces[at]?.leaf ?? spare?.path
  // Nothing to pin with, and the tag alone names the same image.
  if (leaf === undefined)
    return pieces.length > 0 ? `the template pins the digest ${piecesText(pieces)}` : undefined
  const before = at < 0 ? (spare?.before ?? '') : piecesText(pieces.slice(0, at))
  return pinned.startsWith(before) ? set(leaf, pinned.slice(before.length)) : undefined
}
