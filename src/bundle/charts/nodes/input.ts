import type { ImageContents } from '../../format/contents.ts'
import type { Layout } from '../../format/destination.ts'

/** A public registry by a name that pods use, and where the private one holds its images. */
export interface Upstream {
  readonly registry: string
  /** `mirrored/quay.io` -> `jetstack/cert-manager-webhook`, …; the path with most images first. */
  readonly paths: ReadonlyMap<string, readonly string[]>
}

/** The private registry as a node sees it. */
export interface PrivateRegistry {
  readonly host: string
  /** `https://host`; plain http is spoken to loopback only. */
  readonly url: string
}

/** A file of a node or of the cluster. */
export interface NodeFile {
  /** Below the folder that all of a format share. */
  readonly path: string
  readonly text: string
}

/** What one format needs to know. */
export interface NodeInput {
  readonly images: readonly ImageContents[]
  readonly layout: Layout
  /** By every name of `names`, and by the canonical one. */
  readonly upstreams: readonly Upstream[]
  readonly registry: PrivateRegistry
}
