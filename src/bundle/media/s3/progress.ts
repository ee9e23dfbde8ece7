import type { PlacedEntry, Placement } from '../../../archive/tar.ts'
import type { S3Part } from '../../../aws/s3/multipart.ts'
import type { Midstate } from './resumable-sha256.ts'
import type { PlannedPart } from './parts.ts'
import type { ObjectRecord } from './record.ts'
import type { Plan } from '../../format/plan.ts'
import { SMALL } from '../../export/stream-archive.ts'

/** Entries up to this size are fetched again rather than hashed so that they can be continued. */
export const AGAIN = 64 * 1024 * 1024

/** How far an upload is, and from where it can go on. */
export interface ObjectProgress {
  readonly uploadId: string
  /** A part is there, in this run or before. */
  add(part: S3Part): void
  /** The state of the hash at a byte of the archive. */
  keep(at: number, state: Midstate): void
  /** The state there, when it is known. */
  stateAt(at: number): Midstate | undefined
  /** Where the content of an entry is cut and its state is worth keeping: bytes of the archive. */
  stopsIn(entry: PlacedEntry): readonly number[]
  /** The entry a byte of the archive belongs to, with its header and padding. */
  entryAt(at: number): PlacedEntry | undefined
  /** Index of the first part to be uploaded, with all behind it; that behind the last when none is. */
  begin(): number
  /** What was uploaded of the entry is wrong: all parts from the one it begins in on are to be uploaded again. */
  forget(entry: PlacedEntry): void
  /** For the run that comes after this one. */
  record(): ObjectRecord
  /** All parts. */
  whole(): readonly S3Part[]
}

export interface ProgressOptions {
  readonly placement: Placement
  readonly plan: Plan
  readonly parts: readonly PlannedPart[]
  readonly uploadId: string
  /** Of the plan, for the record. */
  readonly name: string
  readonly found: readonly S3Part[]
  readonly states: ReadonlyMap<number, Midstate>
}

export function createProgress(options: ProgressOptions): ObjectProgress {
  const { parts, plan, uploadId, name } = options
  const { entries } = options.placement
  const there = new Map(options.found.map((part) => [part.number, part]))
  const states = new Map(options.states)
  const starts = new Set(parts.map(({ start }) => start))

  const entryAt = (at: number): PlacedEntry | undefined => {
    let [low, high] = [0, entries.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((entries[middle]?.headerAt ?? 0) <= at) low = middle + 1
      else high = middle
    }
    return entries[low - 1]
  }
  /** Small entries were verified before their first byte went out; of large ones it has to be known how to go on. */
  const canBegin = (at: number): boolean => {
    const entry = entryAt(at)
    if (entry === undefined || at <= entry.dataAt || at >= entry.dataAt + entry.size) return true
    return plan.ready.has(entry.path) || entry.size <= SMALL || states.has(at)
  }
  /** The first part that is not there. */
  const reached = (): number => {
    const lacking = parts.findIndex(({ number }) => !there.has(number))
    return lacking < 0 ? parts.length : lacking
  }
  const beginAt = (from: number): number => {
    let index = from
    while (index > 0 && index < parts.length && !canBegin(parts[index]?.start ?? 0)) index -= 1
    return index
  }
  return {
    uploadId,
    entryAt,
    add: (part) => void there.set(part.number, part),
    keep: (at, state) => void states.set(at, state),
    stateAt: (at) => states.get(at),
    stopsIn({ headerAt, dataAt, size }) {
      // One that begins a part and is not too large is fetched again from its beginning.
      if (size <= (starts.has(headerAt) ? AGAIN : SMALL)) return []
      return parts.map(({ start }) => start).filter((start) => start > dataAt && start < dataAt + size)
    },
    begin() {
      const index = beginAt(reached())
      for (const { number } of parts.slice(index)) there.delete(number)
      return index
    },
    forget({ headerAt, dataAt, size }) {
      for (const at of states.keys()) if (at > headerAt && at < dataAt + size) states.delete(at)
      for (const { number, end } of parts) if (end > headerAt) there.delete(number)
    },
    record() {
      const end = parts[reached()]?.start ?? Infinity
      const known = [...states.keys()].filter((at) => at <= end).toSorted((a, b) => a - b)
      const last = known.at(-1)
      const own = last === undefined ? undefined : entryAt(last)?.headerAt
      // The last one to go on from; the last one before its entry, in case that turns out to be wrong.
      const before = known.findLast((at) => own !== undefined && at <= own)
      const kept = [before, last].filter((at) => at !== undefined)
      return { uploadId, plan: name, states: new Map(kept.map((at) => [at, states.get(at) ?? ''])) }
    },
    whole: () =>
      parts.map(({ number }) => {
        const part = there.get(number)
        if (part === undefined) throw new Error(`never uploaded: part ${number}`)
        return part
      }),
  }
}
