import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { walk, type GraphNode } from '../../oci/graph.ts'
import { parseReference } from '../../oci/reference.ts'
import type { ChartContents, ImageContents } from '../format/contents.ts'
import { destinationOf, imageRepository, type Layout } from '../format/destination.ts'
import { rootManifest, type Bundle } from '../format/open.ts'

/** A repository as it is served. */
export interface ServedRepository {
  readonly tags: ReadonlyMap<string, Digest>
  readonly manifests: ReadonlyMap<Digest, GraphNode>
  readonly blobs: ReadonlyMap<Digest, Descriptor>
}

/** Repositories by name. */
export interface Catalog {
  /** Those that are listed, sorted. */
  readonly names: readonly string[]
  /** @param registry whose mirror the client wants (containerd's `?ns=`) */
  find(name: string, registry?: string): ServedRepository | undefined
}

/**
 * Everything in a bundle by the names it has at its sources and by those an import gives it. Manifests are read and
 * verified now, so that what is served is known to hang together.
 */
export async function catalogOf(bundle: Bundle, layout: Layout): Promise<Catalog> {
  const listed = new Map<string, Building>()
  const aliases = new Map<string, Building>()
  for (const root of bundle.roots) {
    if (root.kind === 'file') continue
    const { nodes } = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
    const add = (to: Map<string, Building>, name: string, tags: readonly string[]): void => {
      const repository = to.get(name) ?? { tags: new Map(), manifests: new Map(), blobs: new Map() }
      to.set(name, repository)
      for (const tag of tags) repository.tags.set(tag, root.digest)
      for (const node of nodes) {
        repository.manifests.set(node.descriptor.digest, node)
        for (const blob of node.blobs) repository.blobs.set(blob.digest, blob)
      }
    }
    const { repository, tags } = destinationOf(root, layout)
    add(listed, repository, tags)
    for (const name of sourceNames(root)) add(listed, name, tags)
    for (const name of aliasNames(root)) add(aliases, name, tags)
  }
  return {
    names: [...listed.keys()].toSorted(),
    find: (name, registry) =>
      (registry === undefined
        ? undefined
        : (listed.get(`${registry}/${name}`) ?? aliases.get(`${registry}/${name}`))) ??
      listed.get(name) ??
      aliases.get(name),
  }
}

// --- internal ---

interface Building {
  readonly tags: Map<string, Digest>
  readonly manifests: Map<Digest, GraphNode>
  readonly blobs: Map<Digest, Descriptor>
}

const BARE: Layout = { registry: '', path: '', prefix: '', chartPrefix: '' }

/** Names as references write them, fit for a repository: a port's colon is a `-`. */
function sourceNames(root: ImageContents | ChartContents): readonly string[] {
  if (root.kind === 'image') return [imageRepository(BARE, parseReference(root.name))]
  if (!root.repository.startsWith('oci://')) return []
  const reference = parseReference(
    `${root.repository.slice('oci://'.length).replace(/\/+$/, '')}/${root.chart}`,
  )
  return [imageRepository(BARE, reference)]
}

/**
 * Names by which clients address mirrors: the path alone, which docker's `registry-mirrors` use for Docker Hub, and the
 * registry with its port, which containerd gives as `ns`.
 */
function aliasNames(root: ImageContents | ChartContents): readonly string[] {
  if (root.kind !== 'image') return []
  const { registry, repository } = parseReference(root.name)
  return registry === 'docker.io' ? [repository] : [`${registry}/${repository}`]
}
