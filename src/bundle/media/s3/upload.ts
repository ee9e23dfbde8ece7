import { streamPart, uploadPart, type S3Part } from '../../../aws/s3/multipart.ts'
import type { S3Target } from '../../../aws/s3/object.ts'
import { sentWhole } from '../../../lib/bytes/buffers.ts'
import type { Bytes } from '../../../lib/bytes/bytes.ts'
import { messageOf } from '../../../lib/errors.ts'
import type { PlannedPart } from './parts.ts'
import type { ObjectProgress } from './progress.ts'
import type { ObjectRecord } from './record.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { verifierOf } from './verifier.ts'
import { createPartBuffers } from './part-buffers.ts'
import type { Plan } from '../../format/plan.ts'
import type { Network } from '../../run/network.ts'
import { isWrong, type FetchTally } from '../../export/sources.ts'
import { streamArchive } from '../../export/stream-archive.ts'

export interface UploadOptions {
  readonly target: S3Target
  readonly plan: Plan
  readonly parts: readonly PlannedPart[]
  readonly progress: ObjectProgress
  readonly session: Network
  readonly tally: FetchTally
  readonly recordAs: (record: ObjectRecord) => Promise<void>
}

/**
 * Uploads every part that is not there yet. An entry whose content came wrong is begun again once, with the parts it
 * lies in; so is a part that was too large for memory and was interrupted.
 */
export async function uploadParts(options: UploadOptions): Promise<void> {
  const { parts, progress, session, target, recordAs } = options
  const asked = new Set<string>()
  const patience = target.s3.patience('UploadPart')
  for (let index = progress.begin(); index < parts.length; index = progress.begin()) {
    const run: Run = {
      ...options,
      at: parts[index]?.start ?? 0,
      recorder: createRecorder(options.progress, recordAs),
    }
    try {
      await uploadFrom(index, run)
    } catch (error) {
      if (session.signal.aborted) throw error
      if (error instanceof BrokenPart) {
        await patience.after(error.cause).catch((final: unknown) => {
          throw target.s3.explain('UploadPart', final)
        })
        continue
      }
      const entry = isWrong(error) ? progress.entryAt(run.at) : undefined
      if (entry === undefined) throw error
      progress.forget(entry)
      await recordAs(progress.record())
      if (asked.has(entry.path)) throw error
      asked.add(entry.path)
      session.emit({ type: 'warning', message: `tried again: ${messageOf(error)}` })
    }
  }
}

// --- internal ---

/** Parts up to this size are kept in memory until S3 has them, as many as fit into `MEMORY`. */
const BUFFERED = 16 * 1024 * 1024
const MEMORY = 18 * 1024 * 1024
/** What waits to be put into parts. */
const BUDGET = 8 * 1024 * 1024

interface Run extends UploadOptions {
  /** Bytes of the archive that came out of the stream. */
  at: number
  readonly recorder: Recorder
}

/** A part that cannot be tried again, because its content has passed. */
class BrokenPart extends Error {}

async function uploadFrom(index: number, run: Run): Promise<void> {
  const { plan, parts, session, tally } = run
  const stream = streamArchive(plan, {
    ...session,
    tally,
    budget: BUDGET,
    from: parts[index]?.start ?? 0,
    verifier: verifierOf(plan, run.progress),
  })
  const largest = Math.max(...parts.slice(index).map(sizeOf))
  try {
    if (largest <= BUFFERED) await fromMemory(index, largest, stream, run)
    else await asTheyCome(index, stream, run)
  } catch (error) {
    await run.recorder.rest()
    throw error
  }
  await run.recorder.settle()
}

/** Several parts on their way, each in memory until it has arrived. */
async function fromMemory(index: number, largest: number, stream: Bytes, run: Run): Promise<void> {
  const { parts, session } = run
  const buffers = createPartBuffers(
    Math.max(2, Math.min(session.concurrency + 1, Math.floor(MEMORY / largest))),
    largest,
  )
  const flying = new Set<Promise<void>>()
  const failures: unknown[] = []
  const send = (part: PlannedPart, buffer: Uint8Array): void => {
    const flight = upload(part, buffer.subarray(0, sizeOf(part)), run)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => {
        flying.delete(flight)
        buffers.give(buffer)
      })
    flying.add(flight)
  }
  let next = index
  let buffer: Uint8Array | undefined
  let filled = 0
  try {
    for await (const piece of stream) {
      for (let done = 0; done < piece.length;) {
        const part = parts[next]
        if (part === undefined) throw new Error('the stream is longer than the plan')
        buffer ??= await buffers.take()
        if (failures.length > 0) throw failures[0]
        const taken = piece.subarray(done, done + sizeOf(part) - filled)
        buffer.set(taken, filled)
        filled += taken.length
        done += taken.length
        if (filled < sizeOf(part)) continue
        send(part, buffer)
        buffer = undefined
        filled = 0
        next += 1
      }
      run.at += piece.length
    }
  } finally {
    await Promise.all(flying)
  }
  if (failures.length > 0) throw failures[0]
}

async function upload(
  part: PlannedPart,
  body: Uint8Array,
  { target, progress, recorder }: Run,
): Promise<void> {
  const { s3, location } = target
  const sent = await uploadPart(s3, location, progress.uploadId, part.number, body)
  arrived(sent, progress, recorder)
}

/** Parts that are too large for memory go out one by one, as their content comes. */
async function asTheyCome(index: number, stream: Bytes, run: Run): Promise<void> {
  const { parts, progress, target, recorder } = run
  const pieces = stream[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array()
  let failure: { readonly error: unknown } | undefined
  const contentOf = async function* (size: number): Bytes {
    for (let left = size; left > 0;) {
      if (rest.length === 0) {
        const result = await pieces.next().catch((error: unknown) => {
          failure = { error }
          throw error
        })
        if (result.done === true) throw new Error('the stream is shorter than the plan')
        rest = result.value
        run.at += rest.length
      }
      const piece = rest.subarray(0, left)
      rest = rest.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }
  try {
    for (const part of parts.slice(index)) {
      const facts = { number: part.number, size: sizeOf(part) }
      const { s3, location } = target
      const sent = await streamPart(s3, location, progress.uploadId, facts, contentOf(facts.size)).catch(
        (error: unknown) => {
          if (failure !== undefined) throw failure.error
          throw new BrokenPart('a part was interrupted', { cause: error })
        },
      )
      arrived(sent, progress, recorder)
    }
  } finally {
    await pieces.return?.()
  }
}

function arrived(part: S3Part, progress: ObjectProgress, recorder: Recorder): void {
  progress.add(part)
  sentWhole(part.size)
  recorder.arrived(part.size)
}

const sizeOf = ({ start, end }: PlannedPart): number => end - start
