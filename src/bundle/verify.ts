import type { RandomReader } from '../lib/bytes.ts'
import type { Emit } from '../lib/events.ts'
import { messageOf } from '../lib/errors.ts'
import { createPool } from '../lib/pool.ts'
import type { Digest } from '../oci/digest.ts'
import { verified } from '../oci/verify.ts'
import type { ArchiveReader } from '../archive/reader.ts'
import type { Placed } from '../archive/tar.ts'
import type { BundleEvent } from './events.ts'
import { openBundle } from './open.ts'
import { readSums, SUMS } from './sums.ts'

/** An entry whose bytes are not what they have to be. */
export interface Damage {
  readonly path: string
  /** Of its content in the file, bytes. */
  readonly offset: number
  readonly size: number
  readonly reason: string
}

export interface Verified {
  readonly entries: number
  readonly bytes: number
  readonly damaged: readonly Damage[]
}

/**
 * Reads every entry and compares it with its digest: blobs by their name, the rest by SHA256SUMS. Headers and the
 * length of the file are checked too.
 * @throws an integrity error when the bundle cannot be opened at all
 */
export async function verifyBundle(
  file: RandomReader,
  { emit, signal, concurrency }: { emit: Emit<BundleEvent>; signal: AbortSignal; concurrency: number },
): Promise<Verified> {
  const { archive } = await openBundle(file)
  const sums = await readSums(archive)
  const entries = [...archive.entries.values()]
  const bytes = entries.reduce((sum, { size }) => sum + size, 0)
  emit({ type: 'phase', phase: 'transfer', items: entries.length, bytes })
  const pool = createPool(concurrency)
  const damaged = await Promise.all(
    entries.map((entry) => pool.run(() => check(archive, entry, sums, emit, signal), entry.size)),
  )
  signal.throwIfAborted()
  return {
    entries: entries.length,
    bytes,
    damaged: [...damaged.flat(), ...(await endDamage(file, entries))].toSorted((a, b) => a.offset - b.offset),
  }
}

// --- internal ---

/** A blob's name is its digest; SHA256SUMS itself is checked against nothing but the names it lists. */
function expectedDigest(path: string, sums: ReadonlyMap<string, Digest>): Digest | undefined {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1]
  return hex === undefined ? sums.get(path) : `sha256:${hex}`
}

async function check(
  archive: ArchiveReader,
  { path, size, dataAt }: Placed,
  sums: ReadonlyMap<string, Digest>,
  emit: Emit<BundleEvent>,
  signal: AbortSignal,
): Promise<readonly Damage[]> {
  const damage = (reason: string): readonly Damage[] => [{ path, offset: dataAt, size, reason }]
  const digest = expectedDigest(path, sums)
  emit({ type: 'transfer', id: path, name: path, size })
  try {
    if (digest === undefined) {
      if (path === SUMS || sums.size === 0) {
        for await (const chunk of archive.read(path)) if (chunk.length < 0) break
        emit({ type: 'transferred', id: path, outcome: 'copied', size })
        return path === SUMS ? sumsDamage(archive, sums, damage) : []
      }
      return damage('SHA256SUMS does not list it')
    }
    let done = 0
    for await (const chunk of verified(archive.read(path), { digest, size })) {
      signal.throwIfAborted()
      done += chunk.length
      emit({ type: 'progress', id: path, done })
    }
    const listed = sums.get(path)
    if (sums.size > 0 && listed !== digest) throw new Error('SHA256SUMS says another digest')
    emit({ type: 'transferred', id: path, outcome: 'copied', size })
    return []
  } catch (error) {
    if (signal.aborted) throw error
    emit({ type: 'transferred', id: path, outcome: 'failed', size })
    return damage(messageOf(error))
  }
}

function sumsDamage(
  archive: ArchiveReader,
  sums: ReadonlyMap<string, Digest>,
  damage: (reason: string) => readonly Damage[],
): readonly Damage[] {
  const lines = archive.entries.size - 1
  if (sums.size !== lines) return damage(`it lists ${sums.size} files, the bundle has ${lines}`)
  return []
}

/** Padding between entries, and the end mark: bytes of no entry, which have to be zero. */
async function endDamage(file: RandomReader, entries: readonly Placed[]): Promise<readonly Damage[]> {
  const damages: Damage[] = []
  const ends = entries.map(({ dataAt, size }) => dataAt + size)
  const starts = [...entries.slice(1).map(({ headerAt }) => headerAt), file.size]
  for (const [at, end] of ends.entries()) {
    const next = starts[at] ?? file.size
    if (next <= end) continue
    for await (const chunk of file.read(end, next - end)) {
      if (chunk.some((byte) => byte !== 0)) {
        damages.push({
          path: '(padding)',
          offset: end,
          size: next - end,
          reason: 'bytes between entries are not zero',
        })
        break
      }
    }
  }
  return damages
}
