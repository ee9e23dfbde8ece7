import type { Bytes } from '../lib/bytes/bytes.ts'
import { decodeLeft, encodeLeft } from './unfinished-mark.ts'
import type { RandomWriter } from './random-writer.ts'
import { relocate } from './relocate.ts'
import { BLOCK, encodeHeader, END_MARK, padded, place, type Entry, type Placed } from './tar.ts'

/**
 * Fills the archive in any order, each entry straight at its final offset. An entry's header is written after its
 * content is verified and synced, so the header is the commit record: entries whose header is there are whole, also
 * after a crash, and a later run with the same list continues from them. In the place of a missing header stands how
 * much of the content is there, so that a large layer is not begun anew.
 */
export interface ArchiveWriter {
  /** Bytes of the whole archive. */
  readonly size: number
  /** Whether an earlier run already committed this entry. */
  has(path: string): boolean
  /** How many bytes of its content an earlier run left. They are likely right, and have to be verified. */
  left(path: string): number
  /** The first `length` bytes of its content, as they were left. */
  readBack(path: string, length: number): Bytes
  /** Writes an entry's content from byte `start` on, to its end; it must be verified by whoever gives it. */
  write(path: string, content: Bytes, start?: number): Promise<void>
  /** What was left of it is wrong: the next one who writes it begins anew. */
  forget(path: string): void
  /** Syncs, and gives the archive its final name. Every entry must have been written. */
  commit(): Promise<void>
  /** Closes without the final name; what is there stays for the next run. */
  close(): Promise<void>
}

/** Decodes the list of the entries behind the first one, from the first one's content. */
export type EntriesOf = (head: Uint8Array) => readonly Entry[] | undefined

/**
 * After so many bytes everything is synced, and it is written down how far each entry is: what a kill or a loss of
 * power costs. One sync per blob would halve the speed.
 */
const SYNC_AFTER = 64 * 1024 * 1024
/** Where so many bytes take long, sooner: runs that are cut off again and again have to get on too. */
const SYNC_AFTER_MS = 2000
const PIECE = 1024 * 1024
const ZEROS = new Uint8Array(END_MARK)

/**
 * @param head content of the first entry: it names all others, so that what begins with it is of the same plan
 * @param entriesOf reads the list of another plan, whose content is then kept as far as this plan has it too
 * @throws WriteError when there is no room, or no permission
 */
export async function openArchiveWriter(
  medium: RandomWriter,
  entries: readonly Entry[],
  head: Uint8Array,
  entriesOf: EntriesOf = () => undefined,
  syncAfter = SYNC_AFTER,
): Promise<ArchiveWriter> {
  const placement = place(entries)
  // All of them now: a name that fits into none must not come to light after everything was fetched.
  const slots = placement.entries.map((entry): Slot => ({ ...entry, header: encodeHeader(entry) }))
  const places = new Map(slots.map((slot) => [slot.path, slot]))
  const committed = new Set<string>()
  const left = new Map<string, number>()
  /** Entries that are being written, and how far each is. */
  const flying = new Map<Slot, number>()
  let waiting: Slot[] = []
  let unsynced = 0
  let syncedAt = performance.now()
  let flushing = Promise.resolve()

  const placeOf = (path: string): Slot => {
    const entry = places.get(path)
    if (entry === undefined) throw new Error(`not in the plan: ${path}`)
    return entry
  }
  const flush = async (): Promise<void> => {
    const batch = waiting
    waiting = []
    unsynced = 0
    syncedAt = performance.now()
    const reached = [...flying]
    await medium.sync()
    for (const entry of batch) {
      medium.write(entry.header, entry.headerAt)
      committed.add(entry.path)
    }
    for (const [entry, size] of reached) {
      if (size > 0 && flying.has(entry)) medium.write(encodeLeft(entry, size), entry.headerAt)
    }
  }
  /** One flush at a time; a failed one fails the writers that come after it. */
  const flushSoon = (): Promise<void> => (flushing = flushing.then(flush))
  const isTime = (): boolean =>
    unsynced >= syncAfter || (unsynced > 0 && performance.now() - syncedAt >= SYNC_AFTER_MS)
  const done = async (entry: Slot): Promise<void> => {
    // Something else may have lain here: the garbage of another file, or content of another plan.
    medium.write(ZEROS.subarray(0, padded(entry.size) - entry.size), entry.dataAt + entry.size)
    // For a run that comes after a kill: whatever was written is in the page cache, and only has to be verified.
    if (entry.size > 0) medium.write(encodeLeft(entry, entry.size), entry.headerAt)
    waiting.push(entry)
    if (isTime()) await flushSoon()
  }

  try {
    await continueFrom()
  } catch (error) {
    await medium.close(medium.left > 0)
    throw error
  }

  return {
    size: placement.size,
    has: (path) => committed.has(path),
    left: (path) => left.get(path) ?? 0,
    readBack: (path, length) => readBack(medium, placeOf(path), length),
    async write(path, content, start = 0) {
      const entry = placeOf(path)
      let at = entry.dataAt + start
      flying.set(entry, start)
      left.delete(path)
      try {
        // Takes the block on the disk, so that a disk that fills up meanwhile still takes the header.
        medium.write(encodeLeft(entry, start), entry.headerAt)
        for await (const chunk of content) {
          if (at + chunk.length > entry.dataAt + entry.size) throw new Error(`longer than planned: ${path}`)
          medium.write(chunk, at)
          at += chunk.length
          unsynced += chunk.length
          flying.set(entry, at - entry.dataAt)
          if (isTime()) await flushSoon()
        }
        if (at !== entry.dataAt + entry.size) throw new Error(`shorter than planned: ${path}`)
      } catch (error) {
        left.set(path, at - entry.dataAt)
        throw error
      } finally {
        flying.delete(entry)
      }
      await done(entry)
    },
    forget(path) {
      const entry = placeOf(path)
      left.delete(path)
      medium.write(encodeLeft(entry, 0), entry.headerAt)
    },
    async commit() {
      await flushSoon()
      const lacking = slots.find((entry) => !committed.has(entry.path))
      if (lacking !== undefined) throw new Error(`never written: ${lacking.path}`)
      medium.write(ZEROS, placement.size - END_MARK)
      await medium.publish()
    },
    async close() {
      try {
        for (const [path, size] of left) {
          const entry = placeOf(path)
          if (size > 0 && !committed.has(path)) medium.write(encodeLeft(entry, size), entry.headerAt)
        }
        await flushSoon()
      } finally {
        await medium.close(committed.size > 0)
      }
    },
  }

  /** Takes over what an earlier run left, of this plan or of another. */
  async function continueFrom(): Promise<void> {
    const isOurs = medium.left > 0 && (await isSamePlan(medium, head, slots))
    if (!isOurs) await relocate(medium, placement, entriesOf)
    await medium.resize(placement.size)
    for (const entry of medium.left === 0 ? [] : slots) {
      const header = await medium.read(entry.headerAt, BLOCK)
      const isCommitted = Buffer.compare(header, entry.header) === 0
      if (isCommitted && isOurs) committed.add(entry.path)
      else {
        const bytes = isCommitted ? entry.size : decodeLeft(header, entry)
        if (bytes > 0) left.set(entry.path, bytes)
        // A header that another plan wrote says nothing of what has been moved over its content since.
        if (isCommitted) medium.write(encodeLeft(entry, bytes), entry.headerAt)
      }
    }
    const [first] = slots
    if (first === undefined || committed.has(first.path)) return
    left.delete(first.path)
    medium.write(head, first.dataAt)
    await done(first)
    await flushSoon()
  }
}

// --- internal ---

interface Slot extends Placed {
  readonly header: Uint8Array
}

async function* readBack(medium: RandomWriter, entry: Placed, length: number): Bytes {
  for (let at = 0; at < length;) {
    const chunk = await medium.read(entry.dataAt + at, Math.min(PIECE, length - at))
    if (chunk.length === 0) return
    at += chunk.length
    yield chunk
  }
}

async function isSamePlan(
  medium: RandomWriter,
  head: Uint8Array,
  entries: readonly Slot[],
): Promise<boolean> {
  const [first] = entries
  if (first === undefined) return false
  const header = await medium.read(first.headerAt, BLOCK)
  return (
    Buffer.compare(header, first.header) === 0 &&
    Buffer.compare(await medium.read(first.dataAt, head.length), head) === 0
  )
}
