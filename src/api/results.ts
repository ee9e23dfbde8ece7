import type { RootKind } from '../bundle/run/events.ts'
import type { ProgramContents } from '../bundle/format/importer.ts'
import type { ChartProof, OpenReference } from '../bundle/format/charts/chart-proof.ts'
import type { RootWeight } from '../bundle/export/weights.ts'
import type { Rehearsal } from '../bundle/site/rehearse/rehearse.ts'
import type { LockedOwnImage } from '../bundle/spec/lock-export.ts'
import type { CheckedSignature } from '../bundle/media/trust.ts'
import type { WrittenManifests } from '../bundle/import/write-values.ts'
import type { Digest } from '../oci/digest.ts'

/** So many blobs with so many bytes. */
export interface Count {
  readonly count: number
  readonly bytes: number
}

/** What an export came to. Sizes are bytes. */
export interface ExportResult {
  /** File name, without its folder. */
  readonly bundle: string
  readonly size: number
  /** What came over the network, and what was there from an earlier run. */
  readonly fetched: number
  readonly kept: number
  /** What came from the bundle of `reuse`. */
  readonly reused: number
  /** What was left out because of `since`. */
  readonly absent: Count
  readonly seconds: number
  /** What a real helm proved of each chart; empty when there was none. */
  readonly proof: readonly ChartProof[]
  /** Copies of this program in the bundle; the command line puts them there. */
  readonly programs: readonly ProgramContents[]
  /** The image of this program that was made for the bundle. */
  readonly image?: LockedOwnImage
  /** File name of the signature, when `sign` was given. */
  readonly signature?: string
  readonly roots: readonly RootWeight[]
}

/** An image or chart where it landed. */
export interface Landed {
  readonly kind: RootKind
  readonly name: string
  readonly digest: Digest
  readonly repository: string
  /** Empty when it is known by digest only. */
  readonly tags: readonly string[]
  readonly outcome: 'pushed' | 'unchanged'
}

/** A place of a chart that names an image the bundle does not have. */
export interface UnboundPlace {
  readonly chart: string
  readonly path: string
  readonly reference: string
  readonly reason: string
  /** Not pulled with the chart's own values. */
  readonly off: boolean
}

/** What an import came to. */
export interface ImportResult {
  /** File name, without its folder. */
  readonly bundle: string
  readonly registry: string
  readonly seconds: number
  readonly roots: readonly Landed[]
  /** Which part of the bundle it was, when several runs import it; of how many images and charts. */
  readonly shard?: { readonly index: number; readonly count: number; readonly items: number }
  /** File name of the values override; absent for a layout of another tool, which knows no charts. */
  readonly values?: string
  /** Charts that have a values file of their own. */
  readonly chartValues?: readonly string[]
  readonly unbound?: readonly UnboundPlace[]
  /** The manifests that the bundle carries, written with private images. */
  readonly manifests?: WrittenManifests
  /** Whose signature was checked, when a key was given. */
  readonly signedBy?: CheckedSignature
  /** Written beside the override, for the commands to come. */
  readonly files?: readonly string[]
  /** Commands that install the charts, in order. */
  readonly next?: readonly string[]
  /** The same in the product's own way. */
  readonly script?: readonly string[]
  /** Needed references that stay public whatever is done. */
  readonly uncovered?: readonly (OpenReference & { readonly chart: string })[]
  /** What the pulls of nodes came to, when they were rehearsed. */
  readonly rehearsal?: Rehearsal
}
