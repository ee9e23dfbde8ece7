import { blobsIn } from '../oci/graph.ts'
import type { Digest } from '../oci/digest.ts'
import type { Absent } from './contents.ts'
import { decodeLock, type Lock } from './lock-file.ts'
import type { Bundle } from './open.ts'
import { blobPath, LOCK } from './plan.ts'
import type { Root } from './root.ts'

/** What the other side has already: an earlier bundle that was imported there, or what it told of itself. */
export interface Base {
  /** Whether it has this manifest or blob. */
  has(digest: Digest): boolean
}

/** Everything an earlier bundle brought, and what it took for granted itself. */
export function baseOfBundle({ archive, contents, roots }: Bundle): Base {
  const others = new Set([
    ...(contents?.absent ?? []).map(({ digest }) => digest),
    ...roots.map(({ digest }) => digest),
  ])
  return { has: (digest) => archive.entries.has(blobPath(digest)) || others.has(digest) }
}

/** The manifests a lock names. What lies below them follows from the manifests themselves. */
export function baseOfLock({ images, charts }: Lock): Base {
  const known = new Set([
    ...images.flatMap(({ digest, bundled, platforms }) => [bundled ?? digest, ...Object.values(platforms)]),
    ...charts.map(({ digest }) => digest),
  ])
  return { has: (digest) => known.has(digest) }
}

/**
 * The blobs below `roots` that the base has, and that a bundle for it need not carry. A registry that has a manifest
 * has all that it names, so a base that knows a manifest knows its blobs.
 */
export function absentBlobs(roots: readonly Root[], base: Base): readonly Absent[] {
  const absent = new Map<Digest, Absent>()
  for (const root of roots) {
    if (root.kind === 'file') continue
    const whole = new Set(
      root.graph.nodes.flatMap(({ descriptor, blobs }) =>
        base.has(descriptor.digest) ? blobs.map(({ digest }) => digest) : [],
      ),
    )
    for (const { digest, size } of blobsIn(root.graph)) {
      if (whole.has(digest) || base.has(digest)) absent.set(digest, { digest, size })
    }
  }
  return [...absent.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
}

/** The lock a bundle carries; undefined for a layout of another tool. */
export async function lockIn(bundle: Bundle): Promise<Lock | undefined> {
  if (bundle.contents === undefined || !bundle.archive.entries.has(LOCK)) return undefined
  return decodeLock(new TextDecoder().decode(await bundle.content(LOCK)), LOCK)
}
