import { edgesOf } from '../../../archive/volumes/edges.ts'
import { VOLUMES_FORMAT, type VolumeList } from '../../../archive/volumes/list.ts'
import { nameParts, partsAt } from '../../../archive/volumes/reader.ts'
import type { Volume } from '../../../archive/volumes/volume.ts'
import type { Seal } from '../../../archive/volumes/writer.ts'
import { BLOCK, place, type PlacedEntry } from '../../../archive/tar.ts'
import { release } from '../../../lib/bytes/buffers.ts'
import type { RandomReader } from '../../../lib/bytes/bytes.ts'
import { integrityError } from '../../../lib/errors.ts'
import type { Emit } from '../../../lib/events.ts'
import { digestOf, type Digest } from '../../../oci/digest.ts'
import type { BundleEvent } from '../../run/events.ts'
import type { Plan } from '../../format/plan.ts'

export interface SealOptions {
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
}

/**
 * Reads all volumes back once, in order: each gets the digest of its bytes, and every entry is compared with what it
 * has to be, so that no digest is ever given to wrong bytes.
 * @throws an integrity error that names the volume whose medium did not keep what was written
 */
export const sealWith =
  (plan: Plan, options: SealOptions): Seal =>
  async (file, volumes, write) => {
    const expected = digestsOf(plan)
    const entries = place(plan.entries).entries
    const wrong: PlacedEntry[] = []
    const digests = new Map<Volume, Digest>()
    const byVolume = hashRanges(
      volumes.map((volume) => ({ at: volume.offset, size: volume.size, item: volume })),
      (volume, digest) => digests.set(volume, digest),
    )
    const byEntry = hashRanges(
      entries.map((entry) => ({ at: entry.dataAt, size: entry.size, item: entry })),
      (entry, digest) => {
        if (expected.get(entry.path) !== digest) wrong.push(entry)
      },
    )
    await readAll(file, volumes, options, (chunk, at) => {
      byVolume(chunk, at)
      byEntry(chunk, at)
    })
    const [first] = wrong
    if (first !== undefined) {
      // What has no header is fetched again by the next run.
      for (const entry of wrong) write(new Uint8Array(BLOCK), entry.headerAt)
      throw integrityError(
        `${nameParts(partsAt(file.parts ?? [], first.dataAt, first.size))} did not keep what was written: ${first.path} reads back otherwise`,
        { next: 'run the same command again, which writes it again; if that fails too, use another drive' },
      )
    }
    const sealed = []
    for (const volume of volumes) {
      const digest = digests.get(volume)
      if (digest === undefined) throw new Error(`never read: ${volume.name}`)
      sealed.push({ ...volume, digest, edges: await edgesOf(file, volume.offset, volume.size) })
    }
    const list: VolumeList = {
      format: VOLUMES_FORMAT,
      bundle: digestOf(plan.head),
      size: file.size,
      volumes: sealed,
    }
    return list
  }

// --- internal ---

interface Range<Item> {
  readonly at: number
  readonly size: number
  readonly item: Item
}

function digestsOf({ ready, transfers }: Plan): ReadonlyMap<string, Digest> {
  return new Map([
    ...transfers.map(({ path, descriptor }) => [path, descriptor.digest] as const),
    ...[...ready].map(([path, content]) => [path, digestOf(content)] as const),
  ])
}

async function readAll(
  file: RandomReader,
  volumes: readonly Volume[],
  { emit, signal }: SealOptions,
  use: (chunk: Uint8Array, at: number) => void,
): Promise<void> {
  emit({ type: 'phase', phase: 'check', items: volumes.length, bytes: file.size })
  for (const { name, offset, size } of volumes) {
    emit({ type: 'transfer', id: name, name, size })
    let done = 0
    for await (const chunk of file.read(offset, size)) {
      signal.throwIfAborted()
      use(chunk, offset + done)
      done += chunk.length
      emit({ type: 'progress', id: name, done })
      release(chunk)
    }
    emit({ type: 'transferred', id: name, outcome: 'copied', size })
  }
}

/** Takes content in order, and tells the digest of each range as it ends. Ranges are in order and do not overlap. */
function hashRanges<Item>(
  ranges: readonly Range<Item>[],
  done: (item: Item, digest: Digest) => void,
): (chunk: Uint8Array, at: number) => void {
  let index = 0
  let hasher = new Bun.CryptoHasher('sha256')
  return (chunk, at) => {
    for (let range = ranges[index]; range !== undefined; range = ranges[index]) {
      const from = Math.max(range.at, at) - at
      const to = Math.min(range.at + range.size, at + chunk.length) - at
      if (to > from) hasher.update(chunk.subarray(from, to))
      if (range.at + range.size > at + chunk.length) return
      done(range.item, `sha256:${hasher.digest('hex')}`)
      hasher = new Bun.CryptoHasher('sha256')
      index += 1
    }
  }
}
