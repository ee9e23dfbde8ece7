import type { Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Graph } from '../../oci/graph.ts'
import { formatPlatform } from '../../oci/platform.ts'

/** A place that content comes from. */
export interface TransferSource extends Source {
  /** Learns why it was left for the next one; without it, that is a warning. */
  readonly onFailure?: (error: unknown) => void
}

/** Where the content of a root is. */
interface Sourced {
  readonly source: TransferSource
  /** Further places that may have its blobs, in order: other mirrors, and the origin. */
  readonly alternatives?: readonly TransferSource[]
}

/** An image of the bundle, resolved: everything below it is known by digest and size. */
export interface ImageRoot extends Sourced {
  readonly kind: 'image'
  /** The reference as the spec has it, completed: `docker.io/library/busybox:1.36`. */
  readonly name: string
  readonly graph: Graph
  /** Where it was really fetched from, when a mirror served it. */
  readonly from?: string
  /** The index as the registry has it, when platforms were left out and the bundle holds a smaller one. */
  readonly original?: Descriptor
  /** The chart that it signs or describes: it lands in that chart's repository. */
  readonly chart?: string
  /** Blobs that this machine makes, which are fetched from nowhere. */
  readonly made?: readonly Digest[]
}

/** A chart, as Helm keeps it in OCI registries, with its tgz. */
export interface ChartRoot extends Sourced {
  readonly kind: 'chart'
  /** `<name>:<version>`, the version as Chart.yaml has it. */
  readonly name: string
  readonly chart: string
  readonly version: string
  /** The repository's address as the spec has it. */
  readonly repository: string
  readonly graph: Graph
  readonly tgz: Uint8Array
  readonly from?: string
  /** The registry's repository it is published in (`host/path`), mirrors aside; undefined for one of a web server. */
  readonly origin?: string
  /** Where a web server would have the signature of its tgz. */
  readonly provenance?: string
}

/** A plain file. */
export interface FileRoot extends Sourced {
  readonly kind: 'file'
  readonly name: string
  readonly descriptor: Descriptor
}

export type Root = ImageRoot | ChartRoot | FileRoot

/** The digest that pins a root in the lock. */
export const digestOfRoot = (root: Root): Digest =>
  root.kind === 'file' ? root.descriptor.digest : root.graph.root.descriptor.digest

/** Where a chart's tgz lies in the archive. */
export const chartPath = (chart: string, version: string): string => `charts/${chart}-${version}.tgz`

export const filePath = (name: string): string => `files/${name}`

/** The platforms an image is there for: those of its index's children; a lone manifest's only its config knows. */
export function platformsOf(root: ImageRoot): readonly string[] {
  const offered = root.graph.nodes.flatMap(({ manifest }) =>
    manifest.manifests.flatMap(({ platform }) =>
      platform === undefined || platform.os === 'unknown' ? [] : [formatPlatform(platform)],
    ),
  )
  return [...new Set(offered)].toSorted()
}
