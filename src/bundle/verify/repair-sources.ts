import type { PlacedEntry } from '../../archive/tar.ts'
import { bytesOf, type Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError } from '../../lib/errors.ts'
import type { Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { parseReference } from '../../oci/reference.ts'
import type { RegistryClient } from '../../registry/client.ts'
import { isGone } from '../../registry/error.ts'
import { openRepository } from '../../registry/repository.ts'
import type { RootContents } from '../format/contents.ts'
import { destinationOf, type Layout } from '../format/destination.ts'
import { encodeLayoutIndex, LAYOUT_FILE } from '../format/oci-layout.ts'
import { rootManifest, type Bundle } from '../format/open.ts'
import { blobPath } from '../format/plan.ts'
import { readSums } from '../format/sums.ts'

/** Somewhere the content of damaged entries can be had from. */
export interface Donor {
  /** Content of a digest; undefined when it is not there. Whoever reads it verifies it. */
  fetch(digest: Digest, size: number): Promise<Bytes | undefined>
  /** Another bundle, which may be of the very same list. */
  readonly bundle?: Bundle
}

/** What the bundle itself has a second time (a chart is a layer too), or can tell. */
export async function localContent(
  entry: PlacedEntry,
  digest: Digest,
  { archive, roots }: Bundle,
  damaged: ReadonlySet<string>,
): Promise<Bytes | undefined> {
  if (entry.path === LAYOUT_FILE.path) return bytesOf(LAYOUT_FILE.content)
  if (entry.path === 'index.json') {
    const listed = roots.flatMap((root) =>
      root.kind === 'file'
        ? []
        : [
            {
              name: root.name,
              descriptor: { mediaType: root.mediaType, digest: root.digest, size: root.size },
            },
          ],
    )
    return bytesOf(encodeLayoutIndex(listed).index)
  }
  const sums = await readSums(archive)
  const twin = [...archive.entries.keys()].find(
    (path) =>
      path !== entry.path && !damaged.has(path) && (path === blobPath(digest) || sums.get(path) === digest),
  )
  return twin === undefined ? undefined : archive.read(twin)
}

/** Another bundle, of the same list or of another one that shares what is damaged. */
export async function bundleDonor(bundle: Bundle): Promise<Donor> {
  const sums = await readSums(bundle.archive)
  return {
    bundle,
    fetch: async (digest, size) => {
      const path = [
        blobPath(digest),
        ...[...sums].flatMap(([name, of]) => (of === digest ? [name] : [])),
      ].find((name) => bundle.archive.entries.get(name)?.size === size)
      return path === undefined ? undefined : bundle.archive.read(path)
    },
  }
}

/**
 * A registry that has the bundle's images and charts: a private one, where `layout` says, or without it the ones they
 * came from.
 */
export function registryDonor(bundle: Bundle, client: RegistryClient, layout?: Layout): Donor {
  const places = bundle.roots.flatMap((root) => placesOf(root, layout))
  return {
    async fetch(digest, size) {
      for (const { root, registry, repository } of places) {
        if (!(await mayHold(bundle, root, digest))) continue
        const from = openRepository(client, registry, repository)
        try {
          // In this order, because distribution answers 500 when a blob is asked for as a manifest.
          const blob = { mediaType: 'application/octet-stream', digest, size }
          if (await from.exists(blob)) return await from.fetch(blob)
          if ((await from.head(digest)) !== undefined) return bytesOf((await from.resolve(digest)).raw)
        } catch (error) {
          if (!isGone(error)) throw error
        }
      }
      return undefined
    },
  }
}

// --- internal ---

interface At {
  readonly root: RootContents
  readonly registry: string
  readonly repository: string
}

function placesOf(root: RootContents, layout: Layout | undefined): readonly At[] {
  if (root.kind === 'file') return []
  if (layout !== undefined) {
    return [{ root, registry: layout.registry, repository: destinationOf(root, layout).repository }]
  }
  if (root.kind === 'image') return [{ root, ...parseReference(root.name) }]
  if (!root.repository.startsWith('oci://')) return []
  return [
    { root, ...parseReference(`${root.repository.slice('oci://'.length).replace(/\/$/, '')}/${root.chart}`) },
  ]
}

/** Whether the digest is below the root, or that cannot be known because one of its manifests is damaged. */
async function mayHold(bundle: Bundle, root: RootContents, digest: Digest): Promise<boolean> {
  try {
    const { nodes } = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
    return nodes.some(
      (node) => node.descriptor.digest === digest || node.blobs.some((blob) => blob.digest === digest),
    )
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'integrity') return true
    throw error
  }
}
