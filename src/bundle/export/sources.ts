import { WriteError } from '../../archive/random-writer.ts'
import { transferred } from '../../lib/bytes/buffers.ts'
import { bytesOf, type Bytes } from '../../lib/bytes/bytes.ts'
import { inWindows, LARGE, RangesRefused } from '../../lib/bytes/windows.ts'
import { BundleError, messageOf } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import type { Source } from '../../oci/content.ts'
import type { BundleEvent } from '../run/events.ts'
import type { Transfer } from '../format/plan.ts'
import type { TransferSource } from '../format/root.ts'

/** Who hears of a transfer, and can stop it. */
export interface Watched {
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
}

/** Bytes that came from sources in this run. */
export interface FetchTally {
  fetched: number
}

/**
 * Brings a transfer about with each source in turn; the origin's error says why none served. Content that came
 * wrong is asked for once more, because what damages bytes on the way does not do it every time.
 * @param attempt fetches all of it and has it verified
 */
export async function fromSources(
  { descriptor, name, sources }: Transfer,
  { emit, signal }: Watched,
  attempt: (source: TransferSource) => Promise<void>,
): Promise<void> {
  const { digest: id, size } = descriptor
  const last = sources.at(-1)
  const tries = last === undefined ? [] : [...sources, last]
  let own: { readonly error: unknown } | undefined
  emit({ type: 'transfer', id, name, size })
  for (const [at, source] of tries.entries()) {
    try {
      await attempt(source)
      transferred()
      emit({ type: 'transferred', id, outcome: 'copied', size })
      return
    } catch (error) {
      const left = tries.length - 1 - at
      const isFinal = left === 0 || (left === 1 && !isWrong(error)) || error instanceof WriteError
      if (isFinal || signal.aborted) {
        emit({ type: 'transferred', id, outcome: 'failed', size })
        throw signal.aborted || error instanceof WriteError ? error : (own?.error ?? error)
      }
      if (source.onFailure !== undefined && source !== last) {
        source.onFailure(error)
        continue
      }
      own ??= { error }
      emit({ type: 'warning', message: `tried again: ${messageOf(error)}`, where: `source ${name}` })
    }
  }
}

/**
 * Content from byte `start` on, for readers that cannot begin again: from each source in turn, going on where the one before
 * stopped. Whether it is right is for the reader to verify.
 * @param onFailure called with the reason why a source was left for the next one
 */
export async function* continued(
  { descriptor, sources }: Transfer,
  start = 0,
  onFailure?: (error: unknown) => void,
): Bytes {
  let at = start
  for (const [tries, source] of sources.entries()) {
    try {
      for await (const chunk of await fetchRest(source, descriptor, at)) {
        at += chunk.length
        yield chunk
      }
      return
    } catch (error) {
      if (tries === sources.length - 1) throw error
      const told = source.onFailure ?? onFailure
      told?.(error)
    }
  }
}

/** Room for one more connection, to be given back; undefined when there is none. */
export type SpareConnection = () => (() => void) | undefined

/**
 * What a source has of the content from byte `start` on; it is not asked for nothing.
 * @param spare lets large content come over several connections
 */
export function fetchRest(
  source: Source,
  descriptor: Transfer['descriptor'],
  start: number,
  spare?: SpareConnection,
): Promise<Bytes> {
  const { size } = descriptor
  if (start >= size) return Promise.resolve(bytesOf(new Uint8Array()))
  const { fetchRange } = source
  if (spare === undefined || fetchRange === undefined || size - start < LARGE)
    return source.fetch(descriptor, start)
  const rest = async function* (from: number): Bytes {
    yield* await source.fetch(descriptor, from)
  }
  const range = (from: number, to: number): Bytes => windowOf(fetchRange(descriptor, from, to))
  return Promise.resolve(inWindows({ range, rest }, { start, size, spare }))
}

/** A part that comes wrong is no reason to fail: all of it may come right on one connection. */
async function* windowOf(bytes: Bytes): Bytes {
  try {
    yield* bytes
  } catch (error) {
    if (isWrong(error)) throw new RangesRefused(messageOf(error), { cause: error })
    throw error
  }
}

/** Bytes are not what their digest says. */
export const isWrong = (error: unknown): boolean => error instanceof BundleError && error.kind === 'integrity'

export async function* counted(bytes: Bytes, tally: FetchTally): Bytes {
  for await (const chunk of bytes) {
    tally.fetched += chunk.length
    yield chunk
  }
}
