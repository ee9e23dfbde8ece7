import { integrityError } from '../lib/errors.ts'
import { createOnce } from '../lib/once.ts'
import type { RawManifest, Source } from './content.ts'
import type { Descriptor } from './descriptor.ts'
import type { Digest } from './digest.ts'
import { isManifest } from './media-types.ts'
import { blobsOf, parseManifest, type Manifest } from './manifest.ts'

/** One manifest of a graph with the blobs it names. */
export interface GraphNode extends RawManifest {
  readonly manifest: Manifest
  readonly blobs: readonly Descriptor[]
}

/** Everything below one root: manifests with their bytes, blobs by descriptor. */
export interface Graph {
  readonly root: RawManifest
  /** Children before parents, each digest once; the root is last. */
  readonly nodes: readonly GraphNode[]
}

/** Deeper or larger than any real image; what is beyond is an attack or a mistake. */
const MAX_DEPTH = 8
const MAX_NODES = 5_000
/** Manifests of one index that are read at the same time. */
const AT_ONCE = 8

/**
 * Reads all manifests below `root`. Indexes in indexes are legal; a cycle cannot be (a digest would have to contain
 * itself), but depth and count are bounded.
 */
export async function walk(source: Source, root: RawManifest, where?: string): Promise<Graph> {
  const nodes = new Map<Digest, GraphNode>()
  const reads = createOnce<RawManifest>()
  const readOnce = (child: Descriptor) => reads(child.digest, () => readChild(source, child, where))
  let started = 0

  const visit = async (raw: RawManifest, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) {
      throw integrityError(
        `indexes are nested more than ${MAX_DEPTH} deep`,
        where === undefined ? {} : { where },
      )
    }
    const manifest = parseManifest(raw, where)
    const children = manifest.manifests.filter(
      ({ digest }, at, all) => !nodes.has(digest) && all.findIndex((one) => one.digest === digest) === at,
    )
    started += children.length
    if (started > MAX_NODES) {
      throw integrityError(
        `more than ${MAX_NODES} manifests below one root`,
        where === undefined ? {} : { where },
      )
    }
    const below = children.filter(({ mediaType }) => isManifest(mediaType))
    for (let at = 0; at < below.length; at += AT_ONCE) {
      // Asked for together, for each answer takes as long as the registry is far; kept in the order of their index.
      const read = below.slice(at, at + AT_ONCE).map((child) => readOnce(child))
      await Promise.allSettled(read)
      for (const found of await Promise.all(read)) {
        if (!nodes.has(found.descriptor.digest)) await visit(found, depth + 1)
      }
    }
    // https://github.com/opencontainers/image-spec/blob/main/image-index.md: entries may be of any media type.
    const blobs = manifest.manifests.filter((child) => !isManifest(child.mediaType))
    nodes.set(raw.descriptor.digest, { ...raw, manifest, blobs: [...blobs, ...blobsOf(manifest)] })
  }
  await visit(root, 0)
  return { root, nodes: [...nodes.values()] }
}

/** All blobs of a graph, each digest once. */
export function blobsIn(graph: Graph): readonly Descriptor[] {
  const blobs = new Map<Digest, Descriptor>()
  for (const node of graph.nodes) for (const blob of node.blobs) blobs.set(blob.digest, blob)
  return [...blobs.values()]
}

// --- internal ---

async function readChild(source: Source, child: Descriptor, where?: string): Promise<RawManifest> {
  const found = await source.resolve(child.digest)
  if (found.raw.length !== child.size) {
    throw integrityError(
      `manifest ${child.digest} has ${found.raw.length} bytes, its index says ${child.size}`,
      where === undefined ? {} : { where },
    )
  }
  return { descriptor: { ...found.descriptor, mediaType: child.mediaType }, raw: found.raw }
}
