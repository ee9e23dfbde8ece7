import type { Digest } from '../../oci/digest.ts'
import { walk, type Graph, type GraphNode } from '../../oci/graph.ts'
import { formatPlatform, isUnknownPlatform } from '../../oci/platform.ts'
import type { RootContents } from '../format/contents.ts'
import { rootManifest, type Bundle } from '../format/open.ts'
import { reportOf, type BundleReport, type ReportedRoot } from './report.ts'

/** A bundle down to its blobs: what each item weighs, alone and after sharing. Bytes throughout. */
export interface Anatomy {
  readonly report: BundleReport
  readonly items: readonly Item[]
  /** Every blob and manifest once, the largest first. */
  readonly blobs: readonly SizedPart[]
  readonly platforms: readonly PlatformWeight[]
}

export interface Item extends ReportedRoot {
  /** What no other item has. */
  readonly own: number
  /** What it shares with others. */
  readonly shared: number
  /** Layers of all its platforms, each digest once. */
  readonly layers: number
  /** What the bundle leaves out of it, because the other side has it. */
  readonly absent: number
}

/** One blob, manifest or file. */
export interface SizedPart {
  readonly digest: Digest
  readonly size: number
  /** The items that have it, by their place in `items`. */
  readonly items: readonly number[]
  readonly isAbsent: boolean
}

export interface PlatformWeight {
  readonly platform: string
  readonly images: number
  /** All blobs of the images for this platform, each once. */
  readonly size: number
}

/** Takes a bundle apart by its table and manifests; reads no layer. */
export async function anatomyOf(bundle: Bundle, size: number, tool: string): Promise<Anatomy> {
  const report = await reportOf(bundle, size, tool)
  const parts = new Map<Digest, { readonly size: number; readonly items: number[] }>()
  const platforms = new Map<string, PlatformParts>()
  const layers: number[] = []
  for (const [at, root] of bundle.roots.entries()) {
    const graph =
      root.kind === 'file' ? undefined : await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
    const below = graph === undefined ? new Map([[root.digest, root.size]]) : sizesIn(graph.nodes)
    for (const [digest, bytes] of below) {
      const part = parts.get(digest) ?? { size: bytes, items: [] }
      part.items.push(at)
      parts.set(digest, part)
    }
    layers.push(graph === undefined ? 0 : layersIn(graph))
    if (graph !== undefined && root.kind === 'image') addPlatforms(platforms, root, graph)
  }
  const absent = new Set(bundle.contents?.absent?.map(({ digest }) => digest))
  const blobs = [...parts].map(([digest, part]): SizedPart => ({
    digest,
    ...part,
    isAbsent: absent.has(digest),
  }))
  const weights = weightsOf(blobs, report.contents.length)
  return {
    report,
    items: report.contents.map((item, at) => ({
      ...item,
      ...(weights[at] ?? NO_WEIGHT),
      layers: layers[at] ?? 0,
    })),
    blobs: blobs.toSorted((a, b) => b.size - a.size || (a.digest < b.digest ? -1 : 1)),
    platforms: [...platforms]
      .map(([platform, { images, sizes }]) => ({ platform, images, size: sum(sizes.values()) }))
      .toSorted((a, b) => b.images - a.images || (a.platform < b.platform ? -1 : 1)),
  }
}

// --- internal ---

interface Weight {
  own: number
  shared: number
  absent: number
}

const NO_WEIGHT: Readonly<Weight> = { own: 0, shared: 0, absent: 0 }

interface PlatformParts {
  images: number
  readonly sizes: Map<Digest, number>
}

const sum = (sizes: Iterable<number>): number => [...sizes].reduce((total, size) => total + size, 0)

function sizesIn(nodes: readonly GraphNode[]): ReadonlyMap<Digest, number> {
  const sizes = new Map<Digest, number>()
  for (const { descriptor, raw, blobs } of nodes) {
    sizes.set(descriptor.digest, raw.length)
    for (const { digest, size } of blobs) sizes.set(digest, size)
  }
  return sizes
}

const layersIn = ({ nodes }: Graph): number =>
  new Set(nodes.flatMap(({ manifest }) => manifest.layers.map(({ digest }) => digest))).size

/** By the children of an index, or what the table says of an image without one. */
function addPlatforms(platforms: Map<string, PlatformParts>, root: RootContents, graph: Graph): void {
  const children = graph.nodes.at(-1)?.manifest.manifests ?? []
  const nodes = new Map(graph.nodes.map((node) => [node.descriptor.digest, node]))
  const found = children.flatMap(({ platform, digest }) => {
    const node = nodes.get(digest)
    if (platform === undefined || node === undefined || isUnknownPlatform(platform)) return []
    return [{ platform: formatPlatform(platform), nodes: [node] }]
  })
  const listed = root.kind === 'image' ? root.platforms : []
  const own = children.length > 0 ? found : listed.map((platform) => ({ platform, nodes: graph.nodes }))
  const counted = new Set<string>()
  for (const { platform, nodes } of own) {
    const entry = platforms.get(platform) ?? { images: 0, sizes: new Map<Digest, number>() }
    if (!counted.has(platform)) entry.images += 1
    counted.add(platform)
    for (const [digest, size] of sizesIn(nodes)) entry.sizes.set(digest, size)
    platforms.set(platform, entry)
  }
}

/** By the place of the item; in one pass, for there may be thousands of items with a hundred thousand blobs. */
function weightsOf(parts: readonly SizedPart[], items: number): readonly Weight[] {
  const weights = Array.from({ length: items }, (): Weight => ({ own: 0, shared: 0, absent: 0 }))
  for (const { size, items: of, isAbsent } of parts) {
    for (const at of of) {
      const weight = weights[at]
      if (weight === undefined) continue
      weight[of.length === 1 ? 'own' : 'shared'] += size
      if (isAbsent) weight.absent += size
    }
  }
  return weights
}
