// Reads every byte of a bundle, compares a registry with it, and repairs either.
import { release } from '../../lib/bytes/buffers.ts'
import type { RandomReader } from '../../lib/bytes/bytes.ts'
import type { Emit } from '../../lib/events.ts'
import { BundleError, messageOf } from '../../lib/errors.ts'
import { createPool } from '../../lib/pool.ts'
import type { Digest } from '../../oci/digest.ts'
import { verified } from '../../oci/verify.ts'
import type { ArchiveReader } from '../../archive/reader.ts'
import { scanArchive } from '../../archive/scan.ts'
import type { PlacedEntry } from '../../archive/tar.ts'
import type { BundleEvent } from '../run/events.ts'
import { openOversized } from '../format/open.ts'
import { HEAD } from '../format/plan.ts'
import { encodeSums, readSums, SUMS } from '../format/sums.ts'
import { frameDamage, headerDamage, type Damage } from '../format/frame.ts'

export interface VerifyOptions {
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Entries at a time. */
  readonly concurrency: number
}

export interface Verified {
  readonly entries: number
  readonly bytes: number
  readonly damaged: readonly Damage[]
}

/**
 * Reads every entry and compares it with its digest: blobs by their name, the rest by SHA256SUMS. Headers, padding and
 * the length of the file are checked too.
 * @throws an integrity error when the bundle cannot be opened at all
 */
export async function verifyBundle(
  file: RandomReader,
  { emit, signal, concurrency }: VerifyOptions,
): Promise<Verified> {
  const { archive, own, fault } = await openDamaged(file)
  const sums = await readSums(archive)
  const entries = [...archive.entries.values()]
  const bytes = entries.reduce((sum, { size }) => sum + size, 0)
  emit({ type: 'phase', phase: 'transfer', items: entries.length, bytes })
  const pool = createPool(concurrency)
  const checked = await Promise.all(
    entries.map((entry) => pool.run(() => check(archive, entry, sums, emit, signal), entry.size)),
  )
  signal.throwIfAborted()
  const damaged = [
    ...checked.flat(),
    ...(await sumsDamage(archive, sums, own)),
    ...(own ? await frameDamage(file, entries) : await headerDamage(file, entries)),
  ]
  if (damaged.length === 0 && fault !== undefined) damaged.push(fault)
  return { entries: entries.length, bytes, damaged: damaged.toSorted((a, b) => a.offset - b.offset) }
}

/** A blob's name is its digest; of everything else SHA256SUMS tells. */
export function expectedDigest(path: string, sums: ReadonlyMap<string, Digest>): Digest | undefined {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1]
  return hex === undefined ? sums.get(path) : `sha256:${hex}`
}

/** The text that SHA256SUMS has to be, from the names of all entries and the digests that no name tells. */
export const expectedSums = (paths: readonly string[], sums: ReadonlyMap<string, Digest>): Uint8Array =>
  encodeSums(
    paths.flatMap((path) => {
      const digest = path === SUMS ? undefined : expectedDigest(path, sums)
      return digest === undefined ? [] : [[path, digest] as const]
    }),
  )

// --- internal ---

/**
 * Opens a bundle whose table may be damaged: then its headers show what is there, so that the damage has a place.
 */
async function openDamaged(
  file: RandomReader,
): Promise<{ readonly archive: ArchiveReader; readonly own: boolean; readonly fault?: Damage }> {
  try {
    return await openOversized(file)
  } catch (error) {
    if (!(error instanceof BundleError) || error.kind !== 'integrity') throw error
    const archive = await scanArchive(file, { tail: 'any' }).catch(() => {
      throw error
    })
    const head = archive.entries.get(HEAD)
    if (head === undefined || !archive.entries.has(SUMS)) throw error
    return {
      archive,
      own: false,
      fault: { path: HEAD, offset: head.dataAt, size: head.size, reason: error.message },
    }
  }
}

async function check(
  archive: ArchiveReader,
  { path, size, dataAt }: PlacedEntry,
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
        for await (const _ of archive.read(path)) signal.throwIfAborted()
        emit({ type: 'transferred', id: path, outcome: 'copied', size })
        return []
      }
      return damage('SHA256SUMS does not list it')
    }
    let done = 0
    for await (const chunk of verified(archive.read(path), { digest, size })) {
      signal.throwIfAborted()
      done += chunk.length
      emit({ type: 'progress', id: path, done })
      if (chunk.length < size) release(chunk)
    }
    emit({ type: 'transferred', id: path, outcome: 'copied', size })
    return []
  } catch (error) {
    if (signal.aborted) throw error
    emit({ type: 'transferred', id: path, outcome: 'failed', size })
    return damage(messageOf(error))
  }
}

/**
 * Nothing has the digest of SHA256SUMS, but all of its text follows from the entries, except the digests of what is
 * no blob; and those were compared with the content just now.
 */
async function sumsDamage(
  archive: ArchiveReader,
  sums: ReadonlyMap<string, Digest>,
  own: boolean,
): Promise<readonly Damage[]> {
  const entry = archive.entries.get(SUMS)
  if (entry === undefined) return []
  const damage = (offset: number, reason: string): readonly Damage[] => [
    { path: SUMS, offset: entry.dataAt + offset, size: entry.size, reason },
  ]
  const listed = [...archive.entries.keys()].filter((path) => path !== SUMS)
  if (!own) {
    const stray = [...sums.keys()].find((path) => !archive.entries.has(path))
    return stray === undefined ? [] : damage(0, `it lists "${stray}", which is not there`)
  }
  const expected = expectedSums(listed, sums)
  const found = await archive.readAll(SUMS)
  const at = found.findIndex((byte, index) => byte !== expected[index])
  if (at < 0 && found.length === expected.length) return []
  return damage(Math.max(at, 0), 'it is not the list of what the bundle holds')
}
