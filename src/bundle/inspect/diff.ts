import type { Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { diffLock, type LockChange } from '../spec/lock.ts'
import { LOCK_FORMAT, type Lock } from '../spec/lock-file.ts'
import { rootManifest, type Bundle } from '../format/open.ts'
import { lockIn, namedBy, namedByLock } from '../export/since.ts'

/** One side of a comparison: a bundle, or the lock of one. */
export type Side =
  | { readonly bundle: Bundle; readonly lock?: never }
  | { readonly lock: Lock; readonly bundle?: never }

/** Blobs and files of the newer bundle, split by what the older one has. Bytes. */
export interface Shares {
  readonly fresh: { readonly count: number; readonly bytes: number }
  readonly shared: { readonly count: number; readonly bytes: number }
}

export interface BundleDiff {
  readonly changes: readonly LockChange[]
  /** How many are in both and the same. */
  readonly same: number
  /** Undefined when the newer side is a lock, which does not know what it weighs. */
  readonly bytes?: Shares
}

/**
 * What changed from one bundle to the next: by what each reference stood for, and by the digests in the tables. No
 * layer is read.
 */
export async function diffBundles(before: Side, after: Side): Promise<BundleDiff> {
  const [old, now] = [await namesOf(before), await namesOf(after)]
  // A layout of another tool has no lock: only what is in it can be compared, not what it was cut from.
  const isPlain = old.isPlain || now.isPlain
  const [oldLock, nowLock] = isPlain ? [plain(old.lock), plain(now.lock)] : [old.lock, now.lock]
  const changes = diffLock(oldLock, nowLock)
  const same = countOf(nowLock) - changes.filter((change) => change.after !== undefined).length
  if (after.bundle === undefined) return { changes, same }
  const has = before.bundle === undefined ? hasIn(before.lock) : namedBy(before.bundle)
  return { changes, same, bytes: await sharesOf(after.bundle, has) }
}

// --- internal ---

function hasIn(lock: Lock): (digest: Digest) => boolean {
  const named = namedByLock(lock)
  return (digest) => named.has(digest)
}

const countOf = ({ images, charts, files }: Lock): number => images.length + charts.length + files.length

async function namesOf({ bundle, lock }: Side): Promise<{ lock: Lock; isPlain: boolean }> {
  if (lock !== undefined) return { lock, isPlain: false }
  const carried = await lockIn(bundle)
  if (carried !== undefined) return { lock: carried, isPlain: false }
  const images = bundle.roots.map(({ name, digest }) => ({ name, digest, platforms: {} }))
  return { lock: { format: LOCK_FORMAT, name: '', images, charts: [], files: [] }, isPlain: true }
}

const plain = (lock: Lock): Lock => ({
  ...lock,
  images: lock.images.map(({ name, digest, bundled }) => ({
    name,
    digest: bundled ?? digest,
    platforms: {},
  })),
})

async function sharesOf(bundle: Bundle, has: (digest: Digest) => boolean): Promise<Shares> {
  const blobs = new Map<Digest, number>()
  const known = new Set<Digest>()
  for (const root of bundle.roots) {
    if (root.kind === 'file') {
      blobs.set(root.digest, root.size)
      continue
    }
    const { nodes } = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
    for (const { descriptor, blobs: below } of nodes) {
      blobs.set(descriptor.digest, descriptor.size)
      for (const { digest, size } of below) {
        blobs.set(digest, size)
        if (has(descriptor.digest)) known.add(digest)
      }
    }
  }
  const shares = { fresh: { count: 0, bytes: 0 }, shared: { count: 0, bytes: 0 } }
  for (const [digest, size] of blobs) {
    const share = known.has(digest) || has(digest) ? shares.shared : shares.fresh
    share.count += 1
    share.bytes += size
  }
  return shares
}
