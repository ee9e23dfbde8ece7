import { BundleError, usageError } from '../../lib/errors.ts'
import { collect } from '../../lib/bytes/bytes.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { hexOf } from '../../oci/digest.ts'
import { walk, type Graph, type GraphNode } from '../../oci/graph.ts'
import { DOCKER_CONFIG, OCI_CONFIG } from '../../oci/media-types.ts'
import { formatPlatform, isUnknownPlatform, matchesPlatform, type Platform } from '../../oci/platform.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import { verified } from '../../oci/verify.ts'
import type { ImageContents } from '../format/contents.ts'
import { encodeLayoutIndex, LAYOUT_FILE } from '../format/oci-layout.ts'
import { rootManifest, type Bundle } from '../format/open.ts'
import { blobPath, type Plan, type Transfer } from '../format/plan.ts'

/**
 * `oci-archive`: a tar of an OCI layout (skopeo, podman, `ctr image import`), for any number of platforms.
 * `docker-archive`: what `docker save` writes and `docker load` reads, for one.
 */
export const IMAGE_FORMATS = ['oci-archive', 'docker-archive'] as const
export type ImageFormat = (typeof IMAGE_FORMATS)[number]

export interface ImagePlanOptions {
  readonly format: ImageFormat
  /** Of the platforms the bundle has, this one alone. */
  readonly platform?: Platform
}

/** The archive of one image, laid out like a bundle: every blob goes straight from one tar to the other. */
export async function imagePlan(
  bundle: Bundle,
  root: ImageContents,
  { format, platform }: ImagePlanOptions,
): Promise<Plan> {
  const where = `image ${root.name}`
  const whole = await walk(bundle.source, await rootManifest(bundle, root), where)
  const graph = platform === undefined ? whole : onePlatform(whole, platform, where)
  const lacking = graph.nodes
    .flatMap(({ blobs }) => blobs)
    .filter(({ digest }) => !bundle.archive.entries.has(blobPath(digest)))
  if (lacking.length > 0) {
    throw new BundleError(`the bundle leaves out ${lacking.length} of its blobs`, {
      kind: 'failed',
      where,
      next: 'take a bundle that was exported without --since, or pull the image from the registry',
    })
  }
  return format === 'oci-archive' ? ociPlan(bundle, root, graph) : dockerPlan(bundle, root, graph, where)
}

// --- internal ---

function onePlatform(graph: Graph, wanted: Platform, where: string): Graph {
  const top = graph.nodes.at(-1)
  const children = top?.manifest.manifests ?? []
  if (children.length === 0) return graph
  const child = children.find(({ platform }) => platform !== undefined && matchesPlatform(wanted, platform))
  const nodes = graph.nodes.filter(({ descriptor }) => descriptor.digest === child?.digest)
  const [root] = nodes
  if (root === undefined) {
    throw usageError(`the bundle does not have it for ${formatPlatform(wanted)}`, {
      where,
      next: `it has ${platformsIn(graph).join(', ')}`,
    })
  }
  return { root, nodes }
}

const platformsIn = ({ nodes }: Graph): readonly string[] =>
  nodes.flatMap(({ manifest }) =>
    manifest.manifests.flatMap(({ platform }) =>
      platform === undefined || isUnknownPlatform(platform) ? [] : [formatPlatform(platform)],
    ),
  )

function ociPlan({ source }: Bundle, { name }: ImageContents, { root, nodes }: Graph): Plan {
  const { index, blobs: wrappers } = encodeLayoutIndex([{ descriptor: root.descriptor, name }])
  const ready = new Map<string, Uint8Array>([
    ['index.json', index],
    [LAYOUT_FILE.path, LAYOUT_FILE.content],
    ...[...wrappers, ...nodes].map(({ descriptor, raw }) => [blobPath(descriptor.digest), raw] as const),
  ])
  const transfers = unique(
    nodes
      .flatMap(({ blobs }) => blobs)
      .map((descriptor) => ({ path: blobPath(descriptor.digest), descriptor, name, sources: [source] })),
  ).filter(({ path }) => !ready.has(path))
  return { head: index, ready, transfers, entries: entriesOf(ready, transfers) }
}

/**
 * https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format; layers
 * stay compressed, as they are: docker, podman and containerd unpack them all the same.
 */
async function dockerPlan(
  { source }: Bundle,
  { name }: ImageContents,
  graph: Graph,
  where: string,
): Promise<Plan> {
  const { config, layers } = onlyImage(graph, where)
  const { tag, ...reference } = parseReference(name)
  const configPath = `${hexOf(config.digest)}.json`
  const paths = layers.map((layer) => `${hexOf(layer.digest)}${extensionOf(layer)}`)
  const tags = tag === undefined ? [] : [`${repositoryName(reference)}:${tag}`]
  const head = new TextEncoder().encode(
    JSON.stringify([{ Config: configPath, RepoTags: tags, Layers: paths }]),
  )
  const content = await collect(verified(await source.fetch(config), config, where))
  const ready = new Map<string, Uint8Array>([
    ['manifest.json', head],
    [configPath, content],
  ])
  const transfers = unique(
    layers.map((descriptor, at) => ({ path: paths[at] ?? '', descriptor, name, sources: [source] })),
  )
  return { head, ready, transfers, entries: entriesOf(ready, transfers) }
}

function onlyImage(graph: Graph, where: string): { config: Descriptor; layers: readonly Descriptor[] } {
  const images = graph.nodes.filter(isImage)
  const [image, ...others] = images
  const config = image?.manifest.config
  if (image === undefined || config === undefined) {
    throw usageError('it is no container image, so docker cannot load it', {
      where,
      next: 'extract it with --format oci-archive',
    })
  }
  if (others.length > 0) {
    throw usageError(`docker-archive holds one platform, the bundle has ${platformsIn(graph).join(', ')}`, {
      where,
      next: 'choose one with --platform, or take --format oci-archive',
    })
  }
  return { config, layers: image.manifest.layers }
}

/** Attestations have the form of an image too; their layers are no tars. */
const isImage = ({ manifest: { config, layers } }: GraphNode): boolean =>
  (config?.mediaType === OCI_CONFIG || config?.mediaType === DOCKER_CONFIG) &&
  !layers.some(({ mediaType }) => mediaType.includes('in-toto'))

function extensionOf({ mediaType }: Descriptor): string {
  if (/[+.]gzip$/.test(mediaType)) return '.tar.gz'
  return /[+.]zstd$/.test(mediaType) ? '.tar.zst' : '.tar'
}

const unique = (transfers: readonly Transfer[]): readonly Transfer[] => [
  ...new Map(transfers.map((transfer) => [transfer.path, transfer])).values(),
]

const entriesOf = (ready: ReadonlyMap<string, Uint8Array>, transfers: readonly Transfer[]) => [
  ...[...ready].map(([path, { length }]) => ({ path, size: length })),
  ...transfers.map(({ path, descriptor }) => ({ path, size: descriptor.size })),
]
