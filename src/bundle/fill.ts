import { openArchiveWriter, WriteError, type ArchiveWriter } from '../archive/writer.ts'
import { release, transferred } from '../lib/buffers.ts'
import type { Bytes } from '../lib/bytes.ts'
import { BundleError, messageOf } from '../lib/errors.ts'
import type { Emit } from '../lib/events.ts'
import { createPool } from '../lib/pool.ts'
import type { Source } from '../oci/content.ts'
import { verified } from '../oci/verify.ts'
import type { BundleEvent } from './events.ts'
import { FailuresError, settleAll } from './failures.ts'
import { readyContent, type Plan, type Transfer } from './plan.ts'

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
export async function fillArchive(path: string, plan: Plan, options: FillOptions): Promise<Filled> {
  const writer = await openArchiveWriter(path, plan.entries, plan.head)
  try {
    for (const { path: entry } of plan.entries) {
      if (plan.ready.has(entry) && !writer.has(entry)) await writer.write(entry, readyContent(plan, entry))
    }
    const lacking = plan.transfers.filter((transfer) => !writer.has(transfer.path))
    const total = sizeOf(lacking)
    options.emit({ type: 'phase', phase: 'transfer', items: lacking.length, bytes: total })
    await fetchAll(lacking, writer, options)
    await writer.commit()
    return { size: writer.size, fetched: total, kept: sizeOf(plan.transfers) - total }
  } catch (error) {
    await writer.close()
    throw error
  }
}

// --- internal ---

const sizeOf = (transfers: readonly Transfer[]): number =>
  transfers.reduce((size, { descriptor }) => size + descriptor.size, 0)

async function fetchAll(
  transfers: readonly Transfer[],
  writer: ArchiveWriter,
  options: FillOptions,
): Promise<void> {
  const pool = createPool(options.concurrency)
  // A disk that is full or gone fails every other transfer too; there is no point in fetching on.
  let broken: WriteError | undefined
  const { failures } = await settleAll(
    transfers,
    (transfer) =>
      pool.run(async () => {
        options.signal.throwIfAborted()
        if (broken !== undefined) throw broken
        try {
          await fetchOne(transfer, writer, options)
        } catch (error) {
          if (error instanceof WriteError) broken = error
          throw error
        }
      }, transfer.descriptor.size),
    ({ name, path }) => ({ kind: path.startsWith('files/') ? 'file' : 'image', name }),
  )
  options.signal.throwIfAborted()
  if (broken !== undefined) throw broken
  if (failures.length > 0) {
    throw new FailuresError(
      `${failures.length} of ${transfers.length} transfers failed; no bundle was written`,
      failures,
      'mend what the table says and run the same command again: what is fetched already is kept',
    )
  }
}

/**
 * Tries each source in turn; the last one's error tells why none served. Content that came wrong is asked for once
 * more, because what damages bytes on the way does not do it every time.
 */
async function fetchOne(transfer: Transfer, writer: ArchiveWriter, options: FillOptions): Promise<void> {
  const { path, descriptor, name, sources } = transfer
  const { digest: id, size } = descriptor
  const last = sources.at(-1)
  const tries = last === undefined ? [] : [...sources, last]
  options.emit({ type: 'transfer', id, name, size })
  for (const [at, source] of tries.entries()) {
    try {
      await writer.write(path, observed(transfer, source, options.emit))
      transferred()
      options.emit({ type: 'transferred', id, outcome: 'copied', size })
      return
    } catch (error) {
      const isWrong = error instanceof BundleError && error.kind === 'integrity'
      const left = tries.length - 1 - at
      const isFinal = left === 0 || (left === 1 && !isWrong) || error instanceof WriteError
      if (isFinal || options.signal.aborted) {
        options.emit({ type: 'transferred', id, outcome: 'failed', size })
        throw error
      }
      const why = messageOf(error)
      options.emit({ type: 'warning', message: `tried again: ${why}`, where: `source ${name}` })
    }
  }
}

async function* observed({ descriptor, name }: Transfer, source: Source, emit: Emit<BundleEvent>): Bytes {
  let done = 0
  const bytes = await source.fetch(descriptor)
  for await (const chunk of verified(bytes, descriptor, `source ${name}`)) {
    done += chunk.length
    emit({ type: 'progress', id: descriptor.digest, done })
    yield chunk
    // Whoever asks for the next piece has written this one. Content in memory comes as a whole, and is not ours.
    if (chunk.length < descriptor.size) release(chunk)
  }
}
