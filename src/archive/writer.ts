import type { Bytes, RandomReader } from '../lib/bytes/bytes.ts'
import { digestOf, type Digest } from '../oci/digest.ts'
import type { RandomWriter } from './random-writer.ts'
import { claimOf, type EntryInFlight } from './flight.ts'
import { checkLeft, readerOver, type Beginning } from './left-content.ts'
import { relocate } from './relocate.ts'
import { BLOCK, encodeHeader, END_MARK, padded, place, type Entry, type PlacedEntry } from './tar.ts'
import { decodeMark, encodeMark, type Claim } from './unfinished-mark.ts'

/**
 * Fills the archive in any order, each entry straight at its final offset. An entry's header is written after its
 * content is verified and synced. In the place of a missing header stands how much of the content is there. Both are
 * claims to a later run: what they claim counts once it was read and hashed, so that nothing rotten or planted gets in
 * and nothing that is right is fetched again.
 */
export interface ArchiveWriter {
  /** Bytes of the whole archive. */
  readonly size: number
  /** Whether the content of this entry is there: written or found right by this run. */
  has(path: string): boolean
  /** How many bytes of its content an earlier run, or an interrupted transfer, claims to have left. */
  claimed(path: string): number
  /**
   * Reads and hashes what was left of an entry. When all of it is right, the entry is there from now on.
   * @param onRead called with the bytes read so far
   * @returns the beginning that is right, to continue from; of no bytes when nothing is
   */
  check(path: string, digest: Digest, onRead?: (bytes: number) => void): Promise<Beginning>
  /**
   * Writes an entry's content behind `beginning`, to its end. The caller verifies it, and hashes it with
   * `beginning.hasher` before each piece is given.
   */
  write(path: string, content: Bytes, beginning: Beginning): Promise<void>
  /** Writes an entry from memory. */
  put(path: string, content: Uint8Array): Promise<void>
  /** What was left of it is wrong: whoever writes it next begins again from the start. */
  forget(path: string): void
  /**
   * Syncs, and gives the archive its final name. Every entry must have been written.
   * @param readBack looks at the archive before it gets its name, and throws to keep it from that
   */
  commit(readBack?: (file: RandomReader) => Promise<void>): Promise<void>
  /** Closes without the final name; what is there stays for the next run. */
  close(): Promise<void>
}

/** Decodes the list of the entries behind the first one, from the first one's content. */
export type EntriesOf = (head: Uint8Array) => readonly Entry[] | undefined

/** After so many bytes everything is synced: what a loss of power costs. One sync per blob would halve the speed. */
const SYNC_AFTER = 64 * 1024 * 1024
/** Where so many bytes take long, sooner: runs that are cut off again and again have to get on too. */
const SYNC_AFTER_MS = 2000
/** After so many bytes of an entry it is written down how far it is: what a kill costs. */
const MARK_AFTER = 1024 * 1024
const ZEROS = new Uint8Array(END_MARK)
const EMPTY = digestOf('')

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
  const markAfter = Math.min(MARK_AFTER, syncAfter)
  // All of them now: a name that fits into none must not come to light after everything was fetched.
  const slots = placement.entries.map((entry): Slot => ({ ...entry, header: encodeHeader(entry) }))
  const places = new Map(slots.map((slot) => [slot.path, slot]))
  const there = new Set<Slot>()
  const claims = new Map<Slot, readonly Claim[]>()
  const flying = new Set<EntryInFlight<Slot>>()
  /** Whole entries whose header waits for the next sync. */
  let waiting: Slot[] = []
  let unsynced = 0
  let syncedAt = performance.now()
  let flushing = Promise.resolve()

  const placeOf = (path: string): Slot => {
    const entry = places.get(path)
    if (entry === undefined) throw new Error(`not in the plan: ${path}`)
    return entry
  }
  const claim = (entry: Slot, of: readonly Claim[]): void => {
    claims.set(entry, of)
    medium.write(encodeMark(entry, of), entry.headerAt)
  }
  const flush = async (): Promise<void> => {
    const batch = waiting
    waiting = []
    unsynced = 0
    syncedAt = performance.now()
    const reached = [...flying].map((flight) => [flight, flight.latest] as const)
    await medium.sync()
    for (const entry of batch) medium.write(entry.header, entry.headerAt)
    for (const [flight, synced] of reached) {
      flight.synced = synced
      if (flying.has(flight)) claim(flight.entry, [flight.latest, ...listed(synced)])
    }
  }
  /** One flush at a time; a failed one fails the writers that come after it. */
  const flushSoon = (): Promise<void> => (flushing = flushing.then(flush))
  const isTime = (): boolean =>
    unsynced >= syncAfter || (unsynced > 0 && performance.now() - syncedAt >= SYNC_AFTER_MS)
  const done = async (entry: Slot): Promise<void> => {
    // Something else may have lain here: the garbage of another file, or content of another plan.
    medium.write(ZEROS.subarray(0, padded(entry.size) - entry.size), entry.dataAt + entry.size)
    claims.delete(entry)
    there.add(entry)
    waiting.push(entry)
    if (isTime()) await flushSoon()
  }
  const put = async (entry: Slot, content: Uint8Array): Promise<void> => {
    if (content.length !== entry.size) throw new Error(`of another size than planned: ${entry.path}`)
    medium.write(content, entry.dataAt)
    unsynced += content.length
    await done(entry)
  }
  /** Writes the content of a flight; how far it is stands in the file, whatever happens. */
  const fill = async (flight: EntryInFlight<Slot>, content: Bytes): Promise<void> => {
    const { entry } = flight
    for await (const chunk of content) {
      if (flight.size + chunk.length > entry.size) throw new Error(`longer than planned: ${entry.path}`)
      flight.isTorn = true
      medium.write(chunk, entry.dataAt + flight.size)
      flight.isTorn = false
      flight.size += chunk.length
      unsynced += chunk.length
      if (flight.size - flight.latest.bytes >= markAfter) {
        flight.latest = claimOf(flight)
        claim(entry, [flight.latest, ...listed(flight.synced)])
      }
      if (isTime()) await flushSoon()
    }
    if (flight.size !== entry.size) throw new Error(`shorter than planned: ${entry.path}`)
  }

  try {
    await continueFrom()
  } catch (error) {
    await medium.close(medium.left > 0)
    throw error
  }

  return {
    size: placement.size,
    has: (path) => there.has(placeOf(path)),
    claimed: (path) => claims.get(placeOf(path))?.at(-1)?.bytes ?? 0,
    async check(path, digest, onRead) {
      const entry = placeOf(path)
      const beginning = await checkLeft(medium, entry, claims.get(entry) ?? [], digest, onRead)
      if (beginning.size === entry.size && (entry.size > 0 || digest === EMPTY)) await done(entry)
      else if (claims.has(entry)) claim(entry, listed(beginning.size > 0 ? claimOf(beginning) : undefined))
      return beginning
    },
    async write(path, content, beginning) {
      const entry = placeOf(path)
      const { size, hasher } = beginning
      const latest = claimOf(beginning)
      const flight: EntryInFlight<Slot> = { entry, size, hasher, latest, synced: undefined, isTorn: false }
      // Takes the block on the disk, so that a disk that fills up meanwhile still takes the header.
      claim(entry, [latest])
      flying.add(flight)
      try {
        await fill(flight, content)
      } catch (error) {
        // Of a piece that the disk took only half the hash says nothing.
        if (!flight.isTorn) claims.set(entry, [...listed(flight.synced), claimOf(flight)])
        throw error
      } finally {
        flying.delete(flight)
      }
      // For a run that comes after a kill, before the sync.
      if (entry.size > 0) claim(entry, [claimOf(flight), ...listed(flight.synced)])
      await done(entry)
    },
    put: (path, content) => put(placeOf(path), content),
    forget(path) {
      const entry = placeOf(path)
      claim(entry, [])
      claims.delete(entry)
    },
    async commit(readBack) {
      await flushSoon()
      const lacking = slots.find((entry) => !there.has(entry))
      if (lacking !== undefined) throw new Error(`never written: ${lacking.path}`)
      medium.write(ZEROS, placement.size - END_MARK)
      await readBack?.(readerOver(medium, placement.size))
      await medium.publish()
    },
    async close() {
      try {
        for (const [entry, of] of claims)
          if (!there.has(entry)) medium.write(encodeMark(entry, of), entry.headerAt)
        await flushSoon()
      } finally {
        await medium.close(there.size > 0)
      }
    },
  }

  /** Notes what an earlier run says it left, of this plan or of another. */
  async function continueFrom(): Promise<void> {
    const [first, ...others] = slots
    const isOurs = medium.left > 0 && (await isSamePlan(medium, head, slots))
    if (!isOurs) await relocate(medium, placement, entriesOf)
    await medium.resize(placement.size)
    for (const entry of others) {
      if (medium.isElsewhere?.(entry) === true) there.add(entry)
      if (medium.left === 0 || there.has(entry)) continue
      const header = await medium.read(entry.headerAt, BLOCK)
      const isWhole = Buffer.compare(header, entry.header) === 0
      const left = isWhole ? [{ bytes: entry.size }] : decodeMark(header, entry)
      if (left.length > 0) claims.set(entry, left)
    }
    if (first === undefined) return
    await put(first, head)
    await flushSoon()
  }
}

// --- internal ---

interface Slot extends PlacedEntry {
  readonly header: Uint8Array
}

const listed = <Item>(item: Item | undefined): readonly Item[] => (item === undefined ? [] : [item])

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
