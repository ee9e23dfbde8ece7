import { walk } from '../../oci/graph.ts'
import type { Digest } from '../../oci/digest.ts'
import { parseReference } from '../../oci/reference.ts'
import type { Absent } from '../format/contents.ts'
import { chartRepository, destinationOf, imageRepository, type Layout } from '../format/destination.ts'
import type { Inventory } from './inventory.ts'
import { decodeLock, type Lock } from '../spec/lock-file.ts'
import { rootManifest, type Bundle } from '../format/open.ts'
import { blobPath, LOCK } from '../format/plan.ts'
import type { Root } from '../format/root.ts'

/** What the other side has already: an earlier bundle that was imported there, its lock, or its own inventory. */
export type SinceBase =
  | { readonly kind: 'bundle'; readonly bundle: Bundle }
  | { readonly kind: 'lock'; readonly lock: Lock }
  | { readonly kind: 'inventory'; readonly inventory: Inventory }

/**
 * The blobs below `roots` that the base has, and that a bundle for it need not carry. Only what the base has in a
 * repository that `roots` go to as well is left out, because there the import can find it.
 */
export async function absentBlobs(roots: readonly Root[], base: SinceBase): Promise<readonly Absent[]> {
  const has = await knownTo(base, new Set(roots.flatMap(repositoryOf)))
  const absent = new Map<Digest, Absent>()
  for (const root of roots) {
    if (root.kind === 'file') continue
    for (const { descriptor, blobs } of root.graph.nodes) {
      // A registry that has a manifest has all that it names.
      const isWhole = has(descriptor.digest)
      for (const { digest, size } of blobs) if (isWhole || has(digest)) absent.set(digest, { digest, size })
    }
  }
  return [...absent.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
}

/** Everything a bundle names, whether it carries it or leaves it out. */
export function namedBy({ archive, contents, roots }: Bundle): (digest: Digest) => boolean {
  const others = new Set([...(contents?.absent ?? []), ...roots].map(({ digest }) => digest))
  return (digest) => archive.entries.has(blobPath(digest)) || others.has(digest)
}

/** The manifests a lock names. What lies below them follows from the manifests themselves. */
export function namedByLock({ images, charts }: Pick<Lock, 'images' | 'charts'>): ReadonlySet<Digest> {
  return new Set([
    ...images.flatMap(({ digest, bundled, platforms }) => [bundled ?? digest, ...Object.values(platforms)]),
    ...charts.map(({ digest }) => digest),
  ])
}

/** The lock a bundle carries; undefined for a layout of another tool. */
export async function lockIn(bundle: Bundle): Promise<Lock | undefined> {
  if (bundle.contents === undefined || !bundle.archive.entries.has(LOCK)) return undefined
  return decodeLock(new TextDecoder().decode(await bundle.content(LOCK)), LOCK)
}

// --- internal ---

const BARE: Layout = { registry: '', path: '', prefix: '', chartPrefix: '' }

const repositoryOf = (root: Root): readonly string[] =>
  root.kind === 'file' ? [] : [root.kind === 'chart' ? chartRepository(BARE, root.chart) : imageAt(root.name)]

const imageAt = (name: string): string => imageRepository(BARE, parseReference(name))

async function knownTo(
  base: SinceBase,
  repositories: ReadonlySet<string>,
): Promise<(digest: Digest) => boolean> {
  if (base.kind === 'inventory') return base.inventory.has
  if (base.kind === 'lock') {
    const { images, charts } = base.lock
    const known = namedByLock({
      images: images.filter(({ name }) => repositories.has(imageAt(name))),
      charts: charts.filter(({ name }) => repositories.has(chartRepository(BARE, name))),
    })
    return (digest) => known.has(digest)
  }
  const known = new Set<Digest>()
  for (const root of base.bundle.roots) {
    if (root.kind === 'file' || !repositories.has(destinationOf(root, BARE).repository)) continue
    const { nodes } = await walk(base.bundle.source, await rootManifest(base.bundle, root), 'older bundle')
    for (const { blobs } of nodes) for (const { digest } of blobs) known.add(digest)
  }
  return (digest) => known.has(digest)
}
