import { BundleError } from '../lib/errors.ts'
import { decodeMark, encodeMark, type Claim } from './unfinished-mark.ts'
import type { RandomWriter } from './random-writer.ts'
import {
  BLOCK,
  decodeHeader,
  encodeHeader,
  place,
  type Entry,
  type PlacedEntry,
  type Placement,
} from './tar.ts'

/** Content that lies where another plan had it. */
export interface Move {
  readonly from: number
  readonly to: number
  /** Bytes. */
  readonly size: number
  readonly entry: PlacedEntry
  /** What is claimed of these bytes. */
  readonly claims: readonly Claim[]
}

const PIECE = 4 * 1024 * 1024

/**
 * What an earlier run with another plan fetched is moved to where this plan has it, in place: the disk never holds
 * it twice. All of it is hashed afterwards like anything else that was left. When this itself is cut off, what was moved
 * by then is still found.
 */
export async function relocate(
  medium: RandomWriter,
  placement: Placement,
  entriesOf: (head: Uint8Array) => readonly Entry[] | undefined,
): Promise<void> {
  if (medium.left === 0) return
  const before = await earlierPlan(medium, entriesOf)
  if (before === undefined) return
  const moves = await movesBetween(medium, before, placement)
  // From here on the old plan is no more: another run must not trust its headers while content is on its way.
  medium.write(new Uint8Array(BLOCK), 0)
  await medium.sync()
  await medium.resize(Math.max(placement.size, medium.left))
  for (const move of inOrder(moves)) {
    await copy(medium, move)
    medium.write(encodeMark(move.entry, move.claims), move.entry.headerAt)
  }
  await medium.sync()
}

/**
 * An order in which no move overwrites what another has yet to read. Both plans list what they share in the same
 * order, so that those which move forward are safe from the last on, and those which move back from the first on.
 */
export function inOrder(moves: readonly Move[]): readonly Move[] {
  const sorted = moves.toSorted((a, b) => a.from - b.from)
  const kept = ascending(sorted)
  return [
    ...kept.filter(({ from, to }) => to > from).toReversed(),
    ...kept.filter(({ from, to }) => to <= from),
  ]
}

// --- internal ---

/** Those that keep their order; what a plan of another order moved across others is fetched again. */
function ascending(sorted: readonly Move[]): readonly Move[] {
  let end = -1
  return sorted.filter(({ to, size }) => {
    if (to < end) return false
    end = to + size
    return true
  })
}

async function earlierPlan(
  medium: RandomWriter,
  entriesOf: (head: Uint8Array) => readonly Entry[] | undefined,
): Promise<readonly PlacedEntry[] | undefined> {
  const block = await medium.read(0, BLOCK)
  if (block.length < BLOCK) return undefined
  const first = headOf(block)
  if (first === undefined || first.size > HEAD_LIMIT) return undefined
  const head = await medium.read(BLOCK, first.size)
  const entries = head.length === first.size ? entriesOf(head) : undefined
  return entries === undefined ? undefined : place([first, ...entries]).entries
}

const HEAD_LIMIT = 64 * 1024 * 1024

function headOf(block: Uint8Array): Entry | undefined {
  try {
    const { path, size } = decodeHeader(block) ?? {}
    return path === undefined || size === undefined ? undefined : { path, size }
  } catch (error) {
    // Whatever it is, it is none of ours, and nothing of it is kept.
    if (error instanceof BundleError && error.kind === 'integrity') return undefined
    throw error
  }
}

/** Only what is named by its digest is the same under the same name. */
const isContentAddressed = (path: string): boolean => path.startsWith('blobs/sha256/')

async function movesBetween(
  medium: RandomWriter,
  before: readonly PlacedEntry[],
  placement: Placement,
): Promise<readonly Move[]> {
  const old = new Map(before.map((entry) => [entry.path, entry]))
  const moves: Move[] = []
  for (const entry of placement.entries) {
    const was = old.get(entry.path)
    if (was === undefined || was.size !== entry.size || !isContentAddressed(entry.path)) continue
    const header = await medium.read(was.headerAt, BLOCK)
    const isWhole = Buffer.compare(header, encodeHeader(was)) === 0
    const claims = isWhole ? [{ bytes: was.size }] : decodeMark(header, was)
    const size = claims.at(-1)?.bytes ?? 0
    if (size > 0) moves.push({ from: was.dataAt, to: entry.dataAt, size, entry, claims })
  }
  return moves
}

async function copy(medium: RandomWriter, { from, to, size }: Move): Promise<void> {
  if (from === to) return
  const forward = to > from
  for (let done = 0; done < size;) {
    const length = Math.min(PIECE, size - done)
    const at = forward ? size - done - length : done
    const chunk = await readWhole(medium, from + at, length)
    medium.write(chunk, to + at)
    done += length
  }
}

async function readWhole(medium: RandomWriter, at: number, length: number): Promise<Uint8Array> {
  const whole = new Uint8Array(length)
  for (let done = 0; done < length;) {
    const chunk = await medium.read(at + done, length - done)
    if (chunk.length === 0) break
    whole.set(chunk, done)
    done += chunk.length
  }
  return whole
}
