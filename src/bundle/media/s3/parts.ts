import { BLOCK, type PlacedEntry, type Placement } from '../../../archive/tar.ts'
import { BundleError } from '../../../lib/errors.ts'
import { formatBytes } from '../../../lib/format.ts'
import { SMALL } from '../../export/stream-archive.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const MAX_OBJECT = 5 * 1024 ** 4
const MAX_PARTS = 10_000
const MIN_PART = 5 * 1024 ** 2
/** Small enough to be kept in memory for another try, several at a time. */
const TARGET = 8 * 1024 ** 2

/** A part of an object that is uploaded in parts: the bytes of the archive from `start` to `end`. */
export interface PlannedPart {
  /** From 1. */
  readonly number: number
  readonly start: number
  readonly end: number
}

/**
 * Cuts an archive into parts of about 8 MiB, larger ones when they would be too many. Every large entry begins a part
 * as far as the smallest size of a part allows: what has to be uploaded again because of it is nothing else.
 * @throws an error for an archive that fits into no object
 */
export function planParts({ entries, size }: Placement): readonly PlannedPart[] {
  if (size > MAX_OBJECT) {
    throw new BundleError(
      `the bundle has ${size} bytes, more than the ${formatBytes(MAX_OBJECT)} an object of S3 may have`,
      { kind: 'failed', next: 'export it in several bundles, with specs of their own' },
    )
  }
  for (let target = Math.max(TARGET, Math.ceil(size / (MAX_PARTS - 500))); ; target *= 1.02) {
    const parts = cut(entries, size, target)
    if (parts.length <= MAX_PARTS) return parts
  }
}

// --- internal ---

function cut(entries: readonly PlacedEntry[], size: number, target: number): readonly PlannedPart[] {
  const parts: PlannedPart[] = []
  let from = 0
  for (const entry of entries) {
    if (entry.size <= Math.max(SMALL, target) || entry.headerAt - from < MIN_PART) continue
    addParts(parts, from, entry.headerAt, target)
    from = entry.headerAt
  }
  addParts(parts, from, size, target)
  return parts
}

/** Parts of one size but for a block, none too small, all of whole blocks. */
function addParts(parts: PlannedPart[], from: number, to: number, target: number): void {
  const length = to - from
  const count = Math.max(1, Math.min(Math.ceil(length / target), Math.floor(length / (MIN_PART + BLOCK))))
  const border = (at: number): number => from + Math.floor(((length / BLOCK) * at) / count) * BLOCK
  for (let at = 0; at < count; at += 1) {
    parts.push({ number: parts.length + 1, start: border(at), end: border(at + 1) })
  }
}
