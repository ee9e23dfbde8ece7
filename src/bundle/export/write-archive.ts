import { WriteError, type RandomWriter } from '../../archive/random-writer.ts'
import type { Entry } from '../../archive/tar.ts'
import type { Beginning } from '../../archive/left-content.ts'
import { openArchiveWriter, type ArchiveWriter } from '../../archive/writer.ts'
import { release } from '../../lib/bytes/buffers.ts'
import type { Bytes, RandomReader } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import { formatBytes } from '../../lib/format.ts'
import { createPool, createTransferPool } from '../../lib/pool.ts'
import type { Source } from '../../oci/content.ts'
import { verified } from '../../oci/verify.ts'
import { decodeContents } from '../format/contents.ts'
import type { BundleEvent } from '../run/events.ts'
import { FailuresError, settleAll } from '../run/failures.ts'
import { openBundle } from '../format/open.ts'
import { HEAD, type Plan, type Transfer } from '../format/plan.ts'
import { SUMS } from '../format/sums.ts'
import { counted, fetchRest, fromSources, isWrong, type SpareConnection, type FetchTally } from './sources.ts'

export interface FillOptions {
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Transfers at a time. */
  readonly concurrency: number
}

export interface Filled {
  /** Bytes of the archive. */
  readonly size: number
  /** Bytes fetched in this run, and bytes an earlier run had left and that were found right. */
  readonly fetched: number
  readonly kept: number
}

/**
 * Writes the planned archive: every blob goes straight to its final place, verified on the way. What an earlier run left
 * is hashed before it counts, and what the plan itself holds (the table, manifests, charts, SHA256SUMS) is written from
 * memory at the end of every run. The file gets its name only when all of it is there and can be read back.
 */
export async function fillArchive(medium: RandomWriter, plan: Plan, options: FillOptions): Promise<Filled> {
  const writer = await openArchiveWriter(medium, plan.entries, plan.head, entriesOf)
  try {
    const begun = await checkAll(plan.transfers, writer, options)
    const lacking = plan.transfers.filter((transfer) => !writer.has(transfer.path))
    options.emit({ type: 'phase', phase: 'transfer', items: lacking.length, bytes: sizeOf(lacking) })
    const tally: FetchTally = { fetched: 0 }
    const kept =
      sizeOf(plan.transfers) - sizeOf(lacking) + [...begun.values()].reduce((sum, { size }) => sum + size, 0)
    await fetchAll(lacking, { writer, begun, tally, options })
    for (const [path, content] of plan.ready) await writer.put(path, content)
    // Of a part of an archive there is nothing to be opened.
    await writer.commit(medium.isElsewhere === undefined ? (file) => readBack(file, plan) : undefined)
    return { size: writer.size, fetched: tally.fetched, kept }
  } catch (error) {
    await closeAfter(error, writer)
    throw error
  }
}

// --- internal ---

/** What a medium says when it is closed after it failed is the same once more. */
async function closeAfter(error: unknown, writer: ArchiveWriter): Promise<void> {
  try {
    await writer.close()
  } catch (closing) {
    if (!(error instanceof WriteError)) throw closing
  }
}

/** The list of an earlier run's plan, when it was one. */
function entriesOf(head: Uint8Array): readonly Entry[] | undefined {
  try {
    return decodeContents(head).entries
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'integrity') return undefined
    throw error
  }
}

const sizeOf = (transfers: readonly Transfer[]): number =>
  transfers.reduce((size, { descriptor }) => size + descriptor.size, 0)

/**
 * Reads and hashes what an earlier run left, several entries at a time.
 * @returns the beginnings of those that are not whole, to continue from
 */
async function checkAll(
  transfers: readonly Transfer[],
  writer: ArchiveWriter,
  { emit, signal, concurrency }: FillOptions,
): Promise<Map<string, Beginning>> {
  const begun = new Map<string, Beginning>()
  const left = transfers.filter(({ path }) => writer.claimed(path) > 0)
  if (left.length === 0) return begun
  const bytes = left.reduce((sum, { path }) => sum + writer.claimed(path), 0)
  emit({ type: 'phase', phase: 'check', items: left.length, bytes })
  const pool = createPool(concurrency)
  const checkOne = async ({ path, name, descriptor: { digest: id } }: Transfer): Promise<void> => {
    signal.throwIfAborted()
    const size = writer.claimed(path)
    emit({ type: 'transfer', id, name, size })
    const beginning = await writer.check(path, id, (done) => {
      signal.throwIfAborted()
      emit({ type: 'progress', id, done })
    })
    emit({ type: 'transferred', id, outcome: 'exists', size })
    if (beginning.size < size) {
      const message = `${formatBytes(size - beginning.size)} that an earlier run left are wrong, and are fetched again`
      emit({ type: 'warning', message, where: name })
    }
    if (!writer.has(path) && beginning.size > 0) begun.set(path, beginning)
  }
  const checks = left.map((transfer) => pool.run(() => checkOne(transfer), transfer.descriptor.size))
  // All of them end before the file is closed.
  await Promise.allSettled(checks)
  await Promise.all(checks)
  return begun
}

interface Fetching {
  readonly writer: ArchiveWriter
  /** What is there of entries that are not whole; who fetches one takes it out. */
  readonly begun: Map<string, Beginning>
  readonly tally: FetchTally
  readonly options: FillOptions
  /** Further connections for large content. */
  readonly spare?: SpareConnection
}

async function fetchAll(transfers: readonly Transfer[], fetching: Fetching): Promise<void> {
  const { options } = fetching
  const pool = createTransferPool(options.concurrency)
  // A disk that is full or gone fails every other transfer too; there is no point in fetching on.
  let broken: WriteError | undefined
  const { failures } = await settleAll(
    transfers,
    (transfer) =>
      pool.run(async () => {
        options.signal.throwIfAborted()
        if (broken !== undefined) throw broken
        try {
          await fetchOne(transfer, { ...fetching, spare: () => pool.spare() })
        } catch (error) {
          if (error instanceof WriteError) broken = error
          throw error
        }
      }, transfer.descriptor.size),
    ({ name, path }) => ({ kind: path.startsWith('blobs/') ? 'image' : 'file', name }),
  )
  options.signal.throwIfAborted()
  if (broken !== undefined) throw broken
  if (failures.length > 0) {
    throw new FailuresError(
      `${failures.length} of ${transfers.length} transfers failed; no bundle was written`,
      failures,
      'fix what is listed and run the same command again: what is fetched already is kept',
    )
  }
}

/** With each source in turn, continuing where the one before stopped. */
const fetchOne = (transfer: Transfer, { writer, begun, tally, options, spare }: Fetching): Promise<void> => {
  const { path, descriptor } = transfer
  /** What came wrong in parts is asked for as a whole. */
  let parts = spare
  const attempt = async (source: Source): Promise<void> => {
    const beginning = begun.get(path) ?? (await writer.check(path, descriptor.digest))
    begun.delete(path)
    if (writer.has(path)) return
    const { size: start } = beginning
    try {
      const rest = counted(await fetchRest(source, descriptor, start, parts), tally)
      await writer.write(path, observed(transfer, rest, beginning, options.emit), beginning)
    } catch (error) {
      if (!isWrong(error)) throw error
      parts = undefined
      writer.forget(path)
      if (start === 0 || options.signal.aborted) throw error
      // A beginning whose digest nobody wrote down need not be right; that is no fault of the source.
      await attempt(source)
    }
  }
  return fromSources(transfer, options, attempt)
}

/** The content behind `beginning`, verified as a whole. */
async function* observed(
  { descriptor, name }: Transfer,
  bytes: Bytes,
  beginning: Beginning,
  emit: Emit<BundleEvent>,
): Bytes {
  let done = beginning.size
  for await (const chunk of verified(bytes, descriptor, `source ${name}`, beginning)) {
    done += chunk.length
    emit({ type: 'progress', id: descriptor.digest, done })
    yield chunk
    // Whoever asks for the next piece has written this one. Content in memory comes as a whole, and is not ours.
    if (chunk.length < descriptor.size) release(chunk)
  }
}

/**
 * Opens what was written as any reader does, before it gets its name.
 * @throws an integrity error when the medium holds another table than was written, or one that nobody can read
 */
async function readBack(file: RandomReader, { ready, entries: [first] }: Plan): Promise<void> {
  if (first?.path !== HEAD) return
  const { sums = new Uint8Array() } = await openBundle(file)
  if (Buffer.compare(sums, ready.get(SUMS) ?? new Uint8Array()) === 0) return
  throw integrityError(`the medium did not keep what was written: ${SUMS} reads back otherwise`, {
    next: 'run the same command again, which writes it again; if that fails too, use another drive',
  })
}
