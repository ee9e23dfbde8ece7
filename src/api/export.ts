import command from '../commands/export.ts'
import { networkFlags, type NetworkOptions } from './network.ts'
import type { ExportResult } from './results.ts'
import { runCommand, type RunOptions } from './run.ts'

export interface ExportOptions extends RunOptions, NetworkOptions {
  /**
   * What to bundle: a spec, a list or manifests in a file or a folder, or the name of a bundled spec. It adds up with
   * `images` and `charts`; with none of them it is the newest Migration Assistant.
   */
  readonly spec?: string | readonly string[]
  /** References: `nginx:1.27`. */
  readonly images?: readonly string[]
  /** `grafana@8.15.0=https://…`, or the path of a folder or package. */
  readonly charts?: readonly string[]
  /** Optional groups of the spec to take along. */
  readonly groups?: readonly string[]
  /** `linux/amd64`, or `all` alone; linux/amd64 and linux/arm64 unless told. */
  readonly platforms?: readonly string[]
  readonly allowMissingPlatform?: boolean
  /** Mirrors to ask before a host: `{ 'docker.io': ['mirror.gcr.io'] }`. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>>
  /** Take signatures, attestations and SBOMs along. */
  readonly referrers?: boolean
  /** What BuildKit attests within an index is kept unless told. */
  readonly attestations?: 'keep' | 'drop'
  /** A lock file; what has moved since is an error. */
  readonly lock?: string
  /** Leave out what the other side has: an earlier bundle, its lock, or an inventory. */
  readonly since?: string
  /** Read from this earlier bundle what it has. */
  readonly reuse?: string
  /** Render the charts with helm, where there is one; true unless told. */
  readonly prove?: boolean
  /** The helm to render with; the one on the PATH unless told. */
  readonly helm?: string
  /** Take images along that the installation pulls and the spec lacks; `all`: those it pulls on demand, too. */
  readonly addMissing?: boolean | 'needed' | 'all'
  /** Fail when a chart that is installed was not proven by rendering it. */
  readonly requireProof?: boolean
  /** Private key (PEM file or `awskms://…`) to sign with. */
  readonly sign?: string
}

/**
 * Pulls every image, chart and file of a spec into one tar, and writes its lock beside it. The tar gets its name when
 * all of it is there and verified; call again to continue.
 * @param bundle the file to write
 * @throws MaBundleError
 */
export function exportBundle(bundle: string, options: ExportOptions = {}): Promise<ExportResult> {
  const {
    spec = [],
    images,
    charts,
    groups,
    platforms,
    allowMissingPlatform,
    mirrors,
    referrers,
    attestations,
    lock,
    since,
    reuse,
    ...rest
  } = options
  const { flags, stdin } = networkFlags(rest)
  const { prove, helm, addMissing, requireProof, sign } = rest
  const args = {
    bundle,
    spec: [spec].flat(),
    images,
    chart: charts,
    with: groups,
    platform: platforms,
    allowMissingPlatform,
    mirror: Object.entries(mirrors ?? {}).map(([host, list]) => `${host}=${list.join(',')}`),
    referrers,
    attestations,
    lock,
    since,
    reuse,
    prove,
    helm,
    requireProof,
    addMissing: addMissing === undefined ? undefined : String(addMissing),
    sign,
    ...flags,
  }
  return runCommand(command, args, options, stdin)
}
