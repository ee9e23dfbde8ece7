import { encodeHeader, END_MARK, padded, place, type PlacedEntry } from '../../archive/tar.ts'
import { release, transferred } from '../../lib/bytes/buffers.ts'
import { bytesOf, type Bytes } from '../../lib/bytes/bytes.ts'
import { messageOf } from '../../lib/errors.ts'
import { readAhead, type Lane } from '../../lib/bytes/read-ahead.ts'
import { verified } from '../../oci/verify.ts'
import type { Plan, Transfer } from '../format/plan.ts'
import { continued, counted, fetchRest, fromSources, type FetchTally, type Watched } from './sources.ts'

/** Transfers up to this size are verified whole before their turn. */
export const SMALL = 8 * 1024 * 1024

/** Passes content on and keeps its last piece back until all of it is right; else throws an integrity error. */
export type Verifier = (content: Bytes) => Bytes

export interface StreamOptions extends Watched {
  /** Transfers at a time. */
  readonly concurrency: number
  /** Byte of the archive to begin with; 0 by default. What lies before it is not fetched. */
  readonly from?: number
  /**
   * Who verifies the content of a transfer from byte `start` on; called again for each attempt. Without one for a
   * `start` behind 0, the content is read from its beginning, because only a whole pass can be verified.
   */
  readonly verifier?: (transfer: Transfer, start: number) => Verifier | undefined
  /** Bytes that may wait in memory for their turn; 48 MiB by default. */
  readonly budget?: number
  /** Counts the bytes that come from sources. */
  readonly tally?: FetchTally
}

/**
 * The planned archive in order, from its first byte to its last: the very bytes that `fillArchive` writes. What comes
 * next is fetched ahead, in bounded memory. Every transfer is verified; one of up to 8 MiB before its first byte goes
 * out, so that it can be asked for again when it came wrong; of a larger one the last piece is kept back, so that a
 * stream with wrong content never comes to its end.
 *
 * A piece may be used until the next one is asked for; then its memory is used again.
 */
export async function* streamArchive(plan: Plan, options: StreamOptions): Bytes {
  const { from = 0, signal, emit } = options
  const { entries, size } = place(plan.entries)
  const transfers = new Map(plan.transfers.map((transfer) => [transfer.path, transfer]))
  const lanes = new Map<string, Lane>()
  let bytes = 0
  for (const entry of entries) {
    const transfer = transfers.get(entry.path)
    if (transfer === undefined || from >= entry.dataAt + entry.size) continue
    lanes.set(entry.path, laneOf(transfer, Math.max(0, from - entry.dataAt), options))
    bytes += entry.size
  }
  emit({ type: 'phase', phase: 'transfer', items: lanes.size, bytes })
  const contents = readAhead([...lanes.values()], {
    concurrency: options.concurrency,
    budget: options.budget ?? BUDGET,
  })
  try {
    for (const entry of entries) {
      if (endOf(entry) <= from) continue
      yield* bytesOf(encodeHeader(entry), Math.max(0, from - entry.headerAt))
      const start = Math.max(0, from - entry.dataAt)
      const ready = plan.ready.get(entry.path)
      if (ready !== undefined) yield* bytesOf(ready, start)
      else if (lanes.has(entry.path)) yield* contentOf(await contents.next(), entry, signal)
      const padding = padded(entry.size) - entry.size
      yield* bytesOf(new Uint8Array(padding), Math.max(0, start - entry.size))
    }
    yield* bytesOf(new Uint8Array(END_MARK), Math.max(0, from - (size - END_MARK)))
  } finally {
    await contents.return(undefined)
  }
}

// --- internal ---

/** What waits in memory for its turn, of all transfers together. */
const BUDGET = 24 * 1024 * 1024
/** So much of a larger one is there when its turn comes: it was opened, and the line is up to speed. */
const BEGINNING = 2 * 1024 * 1024

/** Behind its padding. */
const endOf = ({ dataAt, size }: PlacedEntry): number => dataAt + padded(size)

async function* contentOf(
  turn: IteratorResult<Bytes>,
  { path, size }: PlacedEntry,
  signal: AbortSignal,
): Bytes {
  if (turn.done === true) throw new Error(`never opened: ${path}`)
  for await (const piece of turn.value) {
    signal.throwIfAborted()
    yield piece
    // Content in memory comes as a whole, and is not ours.
    if (piece.length < size) release(piece)
  }
}

function laneOf(transfer: Transfer, start: number, options: StreamOptions): Lane {
  const { size } = transfer.descriptor
  if (size <= SMALL) return { window: size, open: () => whole(transfer, start, options) }
  return { window: BEGINNING, open: () => passing(transfer, start, options) }
}

/** Verified before its first byte goes out. */
async function* whole(transfer: Transfer, start: number, options: StreamOptions): Bytes {
  let pieces: Uint8Array[] = []
  await fromSources(transfer, options, async (source) => {
    pieces = []
    for await (const piece of checked(transfer, start, options, (at) =>
      fetchRest(source, transfer.descriptor, at),
    )) {
      pieces.push(piece)
    }
  })
  for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) yield piece
}

/** Verified while it passes. */
async function* passing(transfer: Transfer, start: number, options: StreamOptions): Bytes {
  const { descriptor, name } = transfer
  const { digest: id, size } = descriptor
  const { emit, signal } = options
  const onFailure = (error: unknown): void => {
    signal.throwIfAborted()
    emit({ type: 'warning', message: `tried again: ${messageOf(error)}`, where: `source ${name}` })
  }
  emit({ type: 'transfer', id, name, size })
  let outcome: 'copied' | 'failed' = 'failed'
  try {
    yield* checked(transfer, start, options, async (at) => continued(transfer, at, onFailure))
    outcome = 'copied'
    transferred()
  } finally {
    emit({ type: 'transferred', id, outcome, size })
  }
}

/** Content from `start` on, verified, from wherever it has to be read for that. */
async function* checked(
  transfer: Transfer,
  start: number,
  { emit, verifier, tally = { fetched: 0 } }: StreamOptions,
  open: (at: number) => Promise<Bytes>,
): Bytes {
  const { descriptor, name } = transfer
  const own = verifier?.(transfer, start)
  const begin = own === undefined ? 0 : start
  const verify: Verifier = own ?? ((content) => verified(content, descriptor, `source ${name}`))
  let done = begin
  for await (const piece of verify(counted(await open(begin), tally))) {
    const before = done
    done += piece.length
    emit({ type: 'progress', id: descriptor.digest, done })
    if (done > start) yield before < start ? piece.subarray(start - before) : piece
  }
}
