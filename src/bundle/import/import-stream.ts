import { type Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import { createTransferPool } from '../../lib/pool.ts'
import { transferred } from '../../lib/bytes/buffers.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { blobsIn } from '../../oci/graph.ts'
import { verified } from '../../oci/verify.ts'
import { locateAbsent } from './left-out.ts'
import { checkRoots, type Checked } from './compare.ts'
import type { Failure } from '../run/failures.ts'
import { allOf, placeRoots, type ImportedRoot, type BundleImportOptions, repositoriesOf } from './import.ts'
import type { ImportTarget } from '../run/target.ts'
import { createPassage } from './replay-buffer.ts'
import type { BundlePipe, PipedBlob } from '../media/open-stream.ts'
import { blobPath } from '../format/plan.ts'

/**
 * Pushes every image and chart of a bundle while it comes: each blob that the destination lacks goes from the pipe
 * straight to one repository that needs it. When all have come, the others mount it from there, and manifests and tags
 * follow as in any import. Memory is bounded, nothing is written to disk.
 *
 * A blob that fails fails what needs it; the rest of the pipe is read on.
 * @throws FailuresError when any root failed; an integrity error for a pipe that goes on behind the bundle's end
 */
export async function importPipe(
  pipe: BundlePipe,
  target: ImportTarget,
  options: BundleImportOptions,
): Promise<readonly ImportedRoot[]> {
  const { bundle } = pipe
  const { checked, failures } = await checkRoots(bundle, target, options)
  await target.settle(repositoriesOf(checked))
  if ((pipe.contents.absent ?? []).length > 0) {
    await locateAbsent(
      bundle,
      checked.filter(({ graph }) => graph !== undefined),
      checked,
      target,
      options,
    )
  }
  const { brought, failed } = await bringBlobs(pipe, wantedBlobs(pipe, checked), target, options)
  const incomplete = checked.flatMap((one): (Failure & { one: Checked })[] => {
    const lacking =
      one.graph === undefined ? undefined : blobsIn(one.graph).find(({ digest }) => failed.has(digest))
    const { kind, name } = one.root
    return lacking === undefined ? [] : [{ one, kind, name, error: failed.get(lacking.digest) }]
  })
  const complete = checked.filter((one) => incomplete.every((other) => other.one !== one))
  const start = (): void => options.emit({ type: 'phase', phase: 'finish', items: checked.length, bytes: 0 })
  const placed = await placeRoots(bundle, complete, target, { ...options, start, brought })
  return allOf(
    placed.imported,
    [...failures, ...incomplete, ...placed.failures],
    options,
    'fix what is listed and send the bundle through the pipe again: what is there already is not pushed again',
  )
}

// --- internal ---

/** Smaller blobs are held in memory whole, so that several go at a time, and again when an upload fails. */
const SMALL = 8 * 1024 * 1024
/** All that is held so, together. */
const HELD = 32 * 1024 * 1024
/** Content in memory is handed over in pieces, because whoever sends a whole buffer may let go of it. */
const PIECE = 512 * 1024

interface Wanted {
  readonly blob: Descriptor
  /** The first root that needs it; the others get it from there. */
  readonly leader: Checked
}

function wantedBlobs(
  { bundle, contents }: BundlePipe,
  checked: readonly Checked[],
): ReadonlyMap<Digest, Wanted> {
  const coming = new Set(contents.entries.map(({ path }) => path))
  const wanted = new Map<Digest, Wanted>()
  for (const leader of checked) {
    for (const blob of leader.graph === undefined ? [] : blobsIn(leader.graph)) {
      const path = blobPath(blob.digest)
      if (!wanted.has(blob.digest) && coming.has(path) && !bundle.archive.entries.has(path))
        wanted.set(blob.digest, { blob, leader })
    }
  }
  return wanted
}

interface Brought {
  /** Where each blob is that is there now. */
  readonly brought: ReadonlyMap<Digest, string>
  /** Why each of the others is not. */
  readonly failed: ReadonlyMap<Digest, unknown>
}

async function bringBlobs(
  pipe: BundlePipe,
  wanted: ReadonlyMap<Digest, Wanted>,
  target: ImportTarget,
  { emit, signal, concurrency }: BundleImportOptions,
): Promise<Brought> {
  const brought = new Map<Digest, string>()
  const failed = new Map<Digest, unknown>()
  const pool = createTransferPool(concurrency)
  const room = createRoom(HELD)
  const running = new Set<Promise<void>>()
  /** Failures too: a repository that cannot be made is not asked for by each of its blobs. */
  const presence = new Map<string, Promise<ReadonlySet<Digest>>>()

  const bytes = [...wanted.values()].reduce((sum, { blob }) => sum + blob.size, 0)
  emit({ type: 'phase', phase: 'transfer', items: wanted.size, bytes })
  try {
    for await (const piped of pipe.rest()) {
      signal.throwIfAborted()
      const want = wanted.get(piped.digest)
      if (want !== undefined && !brought.has(piped.digest)) await bring(want, piped)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof BundleError) || error.kind !== 'integrity') throw error
    // Whatever was still to come is lost; what needs none of it is there in a moment.
    if (wanted.size === brought.size + failed.size + running.size) throw error
    for (const digest of wanted.keys())
      if (!brought.has(digest) && !failed.has(digest)) failed.set(digest, error)
  } finally {
    await Promise.all(running)
  }
  signal.throwIfAborted()
  return { brought, failed }

  async function bring({ blob, leader }: Wanted, piped: PipedBlob): Promise<void> {
    const { digest, size } = blob
    const { repository, root } = leader
    emit({ type: 'transfer', id: digest, name: root.name, size })
    const settle = (outcome: 'copied' | 'mounted' | 'exists'): void => {
      brought.set(digest, repository)
      failed.delete(digest)
      emit({ type: 'transferred', id: digest, outcome, size })
    }
    const fail = (error: unknown): void => {
      failed.set(digest, error)
      emit({ type: 'transferred', id: digest, outcome: 'failed', size })
    }
    const upload = async (open: (start?: number) => Promise<Bytes>): Promise<void> => {
      const push = (relieved: () => void) =>
        target
          .open(repository)
          .pushBlob(blob, async (start) => told(blob, await open(start), relieved, start))
      try {
        const outcome = await pool.run(push, size)
        transferred()
        settle(outcome)
      } catch (error) {
        fail(error)
      }
    }
    const track = (task: Promise<void>): Promise<void> => {
      const tracked = task.finally(() => running.delete(tracked))
      running.add(tracked)
      return tracked
    }
    try {
      if (piped.size !== size) {
        throw integrityError(
          `blob ${digest} has ${piped.size} bytes in the bundle, its manifest says ${size}`,
        )
      }
      if ((await presentIn(repository)).has(digest)) {
        settle('exists')
        return
      }
      const content = verified(piped.content, blob, `bundle, for ${root.name}`)
      if (size <= SMALL) {
        await room.take(size)
        const give = (): void => room.give(size)
        const whole = await wholeOf(content, size).catch((error: unknown) => {
          give()
          throw error
        })
        void track(upload(async (start) => inPieces(whole, start)).finally(give))
      } else {
        const passage = createPassage(content, size)
        await Promise.race([track(upload((start) => passage.open(start))), passage.over])
        await passage.close()
      }
    } catch (error) {
      if (signal.aborted) throw error
      fail(error)
    }
  }

  /** The repository exists from here on; what it has of the blobs that are to go there. */
  function presentIn(repository: string): Promise<ReadonlySet<Digest>> {
    const asked = presence.get(repository) ?? askFor(repository)
    presence.set(repository, asked)
    return asked
  }

  async function askFor(repository: string): Promise<ReadonlySet<Digest>> {
    if ((await target.ensure(repository)) === 'created') return new Set()
    const blobs = [...wanted.values()].filter(({ leader }) => leader.repository === repository)
    return target.open(repository).present(blobs.map(({ blob }) => blob))
  }

  async function* told({ digest }: Descriptor, content: Bytes, ended: () => void, start = 0): Bytes {
    let done = start
    for await (const piece of content) {
      done += piece.length
      emit({ type: 'progress', id: digest, done })
      yield piece
    }
    ended()
  }
}

async function wholeOf(content: Bytes, size: number): Promise<Uint8Array> {
  const whole = new Uint8Array(size)
  let at = 0
  for await (const piece of content) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

async function* inPieces(content: Uint8Array, start = 0): Bytes {
  for (let at = start; at < content.length; at += PIECE) yield content.subarray(at, at + PIECE)
}

/** Bytes of memory that are lent. */
function createRoom(limit: number) {
  let taken = 0
  let waiting: (() => void) | undefined
  return {
    /** One at a time. */
    async take(bytes: number): Promise<void> {
      while (taken > 0 && taken + bytes > limit) await new Promise<void>((resolve) => (waiting = resolve))
      taken += bytes
    },
    give(bytes: number): void {
      taken -= bytes
      waiting?.()
    },
  }
}
