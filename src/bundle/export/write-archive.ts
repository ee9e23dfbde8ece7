import { WriteError, type RandomWriter } from '../../archive/random-writer.ts'
import type { Entry } from '../../archive/tar.ts'
import { openArchiveWriter, type ArchiveWriter } from '../../archive/writer.ts'
import { release } from '../../lib/bytes/buffers.ts'
import type { Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import { createTransferPool } from '../../lib/pool.ts'
import type { Source } from '../../oci/content.ts'
import { verified } from '../../oci/verify.ts'
import { decodeContents } from '../format/contents.ts'
import type { BundleEvent } from '../run/events.ts'
import { FailuresError, settleAll } from '../run/failures.ts'
import { readyContent, type Plan, type Transfer } from '../format/plan.ts'
import { counted, fetchRest, fromSources, isWrong, type Tally } from './sources.ts'

export interface FillOptions {
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Transfers at a time. */
  readonly concurrency: number
}

export interface Filled {
  /** Bytes of the archive. */
  readonly size: number
  /** Bytes fetched in this run, and bytes an earlier run had left. */
  readonly fetched: number
  readonly kept: number
}

/**
 * Writes the planned archive: every blob goes straight to its final place, verified on the way. The file gets its
 * name only when all of it is there.
 */
export async function fillArchive(medium: RandomWriter, plan: Plan, options: FillOptions): Promise<Filled> {
  const writer = await openArchiveWriter(medium, plan.entries, plan.head, entriesOf)
  try {
    for (const { path: entry } of plan.entries) {
      if (plan.ready.has(entry) && !writer.has(entry)) await writer.write(entry, readyContent(plan, entry))
    }
    const lacking = plan.transfers.filter((transfer) => !writer.has(transfer.path))
    options.emit({ type: 'phase', phase: 'transfer', items: lacking.length, bytes: sizeOf(lacking) })
    const left = lacking.reduce((sum, { path }) => sum + writer.left(path), 0)
    const tally: Tally = { fetched: 0 }
    await fetchAll(lacking, writer, tally, options)
    await writer.commit()
    return {
      size: writer.size,
      fetched: tally.fetched,
      kept: sizeOf(plan.transfers) - sizeOf(lacking) + left,
    }
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

async function fetchAll(
  transfers: readonly Transfer[],
  writer: ArchiveWriter,
  tally: Tally,
  options: FillOptions,
): Promise<void> {
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
          await fetchOne(transfer, writer, tally, options)
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
      'mend what is listed and run the same command again: what is fetched already is kept',
    )
  }
}

/** With each source in turn, going on where the one before stopped. */
const fetchOne = (
  transfer: Transfer,
  writer: ArchiveWriter,
  tally: Tally,
  options: FillOptions,
): Promise<void> => {
  const { path, descriptor } = transfer
  const attempt = async (source: Source): Promise<void> => {
    const start = writer.left(path)
    try {
      const left = writer.readBack(path, start)
      const rest = counted(await fetchRest(source, descriptor, start), tally)
      await writer.write(path, observed(transfer, joined(left, rest), start, options.emit), start)
    } catch (error) {
      if (!isWrong(error)) throw error
      writer.forget(path)
      if (start === 0 || options.signal.aborted) throw error
      // What was left need not be right, as after a loss of power; that is no fault of the source.
      await attempt(source)
    }
  }
  return fromSources(transfer, options, attempt)
}

/** Content from `start` on; what was left before it is read once more, because only a whole pass can be verified. */
async function* observed(
  { descriptor, name }: Transfer,
  bytes: Bytes,
  start: number,
  emit: Emit<BundleEvent>,
): Bytes {
  let done = 0
  for await (const chunk of verified(bytes, descriptor, `source ${name}`)) {
    done += chunk.length
    emit({ type: 'progress', id: descriptor.digest, done })
    if (done > start) yield chunk
    // Whoever asks for the next piece has written this one. Content in memory comes as a whole, and is not ours.
    if (chunk.length < descriptor.size) release(chunk)
  }
}

async function* joined(first: Bytes, second: Bytes): Bytes {
  yield* first
  yield* second
}
