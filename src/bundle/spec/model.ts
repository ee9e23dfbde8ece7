import type { Digest } from '../../oci/digest.ts'
import type { Platform } from '../../oci/platform.ts'
import type { Reference } from '../../oci/reference.ts'
import type { ImageFile } from './local/image-file.ts'

/** What to bundle. Written in `manifests/*.yaml`; Manifest, in this code, is only ever the OCI one. */
export interface BundleSpec {
  readonly name: string
  /** Absent in lists that say none. */
  readonly version?: string
  readonly description?: string
  /** For images that name none of their own; absent: the command's default. */
  readonly platforms?: readonly Platform[]
  /** By source registry or chart repository, the places to try before it, in order. */
  readonly mirrors: ReadonlyMap<string, readonly string[]>
  readonly groups: readonly SpecGroup[]
  /** Where each chart's values name images, by chart name. */
  readonly bindings: ReadonlyMap<string, readonly SpecBinding[]>
  /** What no value of a chart tells, by chart name. */
  readonly hints: ReadonlyMap<string, readonly SpecHint[]>
  readonly consumer?: Consumer
}

/** Charts, images and files that belong together. An optional group is left out unless it is asked for. */
export interface SpecGroup {
  readonly name: string
  readonly description?: string
  readonly optional: boolean
  readonly charts: readonly SpecChart[]
  readonly images: readonly SpecImage[]
  readonly files: readonly SpecFile[]
  /** Kubernetes manifests that are carried; their images are listed too once they are read. */
  readonly manifests?: readonly SpecManifest[]
}

export interface SpecManifest {
  /** As it is written, of a file or a folder; of one that was read, a file name. */
  readonly path: string
  /** What it holds, once it was read. */
  readonly text?: string
  /** Where it is on this machine; never written anywhere. */
  readonly local?: string
}

export interface SpecChart {
  readonly name: string
  /** As the list says it; Chart.yaml may have a `v` in front. */
  readonly version: string
  /**
   * `https://…` of a chart repository or, ending in `.tgz`, of the chart itself, `oci://host/path` that the chart's name is appended to, or `./path` of a folder
   * or package beside the spec.
   */
  readonly repository: string
  /** Where that folder or package is on this machine; never written anywhere. */
  readonly local?: string
  /** What the consumer chart calls it; its name by default. */
  readonly key: string
}

export interface SpecImage {
  /** Where it is fetched; of an image in a file, the name it is known by. */
  readonly reference: Reference
  /** The file it lies in, instead of a registry. */
  readonly file?: ImageFile
  readonly platforms?: readonly Platform[]
  readonly allowMissingPlatforms: boolean
  /** The name it gets in the bundle, when it is fetched from somewhere else than the charts say. */
  readonly as?: Reference
}

export interface SpecFile {
  readonly name: string
  readonly url: string
  /** Absent when nobody knows it yet: the first export pins it in the lock. */
  readonly digest?: Digest
  readonly size?: number
}

/** A place in a chart's values that names an image. */
export interface SpecBinding {
  /** Dotted, from the chart's top: `prometheus.prometheusSpec.image`. */
  readonly path: string
  /** The keys below `path` that may be written, in the chart's own shape; none when `path` is itself the text. */
  readonly leaves: readonly string[]
  /** What the chart runs by default, as it renders it: `busybox:1.35`, `docker.io/grafana/grafana:11.6.1`. */
  readonly reference: string
  /** More references that the same place makes, which the chart's own code distinguishes. */
  readonly also: readonly string[]
  /** The image that takes its place, when that has another name. */
  readonly image?: Reference
  /** Where it is rendered: `image`, `arg`, `env`, `cr`, `configmap`. */
  readonly where: string
  /** `helm.sh/hook` of the object it is in, when it is only in hooks. */
  readonly hook?: string
  /** Not pulled with the chart's own values. */
  readonly off: boolean
  readonly note?: string
}

/** An image that no value names, and what to do about it. */
export interface SpecHint {
  readonly path?: string
  readonly reference: string
  readonly where: string
  readonly reason: string
  /** What it takes to be pulled: without it, a chart that is installed pulls it. */
  readonly when?: string
  /** What to fetch in its place, under its name: a source that was retired, a tag that is spelt otherwise. */
  readonly take?: Reference
  readonly action: HintAction
}

/**
 * `bind`: the path works although the chart does not declare it. `bundle`: it is pulled, carry it. `ignore`: nothing
 * pulls it as the chart is used here. `patch`: only a change of the rendered text or of the node's mirrors reaches it.
 */
export type HintAction = (typeof HINT_ACTIONS)[number]
export const HINT_ACTIONS = ['bind', 'bundle', 'ignore', 'patch'] as const

/** The command that installs a consumer chart. In texts, `{region}` and `{account}` are those of the registry. */
export interface ConsumerInstall {
  readonly release: string
  readonly namespace: string
  /** Values that only the site knows, by dotted path: `--set`. */
  readonly set: ReadonlyMap<string, string>
  /** The product's own way; `{chart}`, `{values}` and `{version}` are filled in. */
  readonly script?: string
  /** Files of the bundle that the script needs. */
  readonly files: readonly string[]
  /** The script sets images itself, over all values: only admission reaches them. */
  readonly scriptSetsImages: boolean
}

/** A chart that installs the others: how it is installed, and how it takes where they are. */
export interface Consumer {
  readonly chart: string
  /** Files of values inside the chart that this installation takes on top of its own, in order. */
  readonly values: readonly string[]
  /** Dotted path of the switch of a child chart, with `{key}` for its key; absent: all that it names are installed. */
  readonly installsWhen?: string
  /** How a person installs it. */
  readonly install?: ConsumerInstall
  /** Dotted path for the registry's host. */
  readonly registryAt: string
  /** Dotted path of the mapping of charts by key. */
  readonly chartsAt: string
  readonly bindings: readonly SpecBinding[]
  /** References that the consumer's own values change in a child chart, by the child's key. */
  readonly sets: ReadonlyMap<string, readonly ConsumerSet[]>
}

/** What a consumer's values make of a place in a child chart. */
export interface ConsumerSet {
  readonly path: string
  readonly reference: string
  /** Whether the place is pulled there, when that differs from the chart's own values. */
  readonly off?: boolean
}
