import type { Anatomy, SizedPart } from './sizes.ts'
import type { RootKind } from '../run/events.ts'

/** Bytes of the bundle that the same items have: those of one item alone, or those that several share. */
export interface SizeGroup {
  /** `rest` stands for what is too small to be seen. */
  readonly kind: RootKind | 'shared' | 'rest'
  /** Their places in the anatomy's items. */
  readonly items: readonly number[]
  readonly size: number
  /** Of each blob, the largest first; the last may stand for many small ones. */
  readonly parts: readonly number[]
  /** Blobs in it. */
  readonly count: number
}

/**
 * What the bundle's bytes belong to, each byte once, the largest group first. What would be too small to be seen is
 * put together, so that a map of a thousand blobs stays a map.
 */
export function sizeGroups({ items, blobs }: Pick<Anatomy, 'items' | 'blobs'>): readonly SizeGroup[] {
  const carried = blobs.filter(({ isAbsent, size }) => !isAbsent && size > 0)
  const total = sizeOf(carried)
  const groups = [...Map.groupBy(carried, ({ items: of }) => of.join(' ')).values()]
    .map((parts): SizeGroup => {
      const of = parts[0]?.items ?? []
      const kind = of.length > 1 ? 'shared' : (items[of[0] ?? 0]?.kind ?? 'file')
      return {
        kind,
        items: of,
        size: sizeOf(parts),
        parts: visibleParts(parts, total / SMALLEST_PART),
        count: parts.length,
      }
    })
    .toSorted((a, b) => b.size - a.size || (a.items[0] ?? 0) - (b.items[0] ?? 0))
  const small = groups.filter(({ size }) => size < total / SMALLEST_GROUP)
  if (small.length < 2) return groups
  const size = small.reduce((sum, group) => sum + group.size, 0)
  const rest: SizeGroup = {
    kind: 'rest',
    items: [...new Set(small.flatMap(({ items: of }) => of))],
    size,
    parts: [size],
    count: small.reduce((sum, group) => sum + group.count, 0),
  }
  return [...groups.slice(0, groups.length - small.length), rest].toSorted((a, b) => b.size - a.size)
}

// --- internal ---

/** A group has to be a 500th of the map, a blob in it a 1500th. */
const SMALLEST_GROUP = 500
const SMALLEST_PART = 1500

const sizeOf = (parts: readonly SizedPart[]): number => parts.reduce((sum, { size }) => sum + size, 0)

function visibleParts(parts: readonly SizedPart[], least: number): readonly number[] {
  const large = parts.filter(({ size }) => size >= least).map(({ size }) => size)
  const small = sizeOf(parts.filter(({ size }) => size < least))
  return small === 0 ? large : [...large, small].toSorted((a, b) => b - a)
}
