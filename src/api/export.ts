import type { AddMissing } from '../bundle/export/prove-charts.ts'
import { PICK_ALL } from '../bundle/spec/pick.ts'
import { newMediumAt } from '../bundle/media/at.ts'
import { mergeMirrors } from '../registry/mirror.ts'
import { PLAIN_HELM } from '../setup/helm.ts'
import { platformsFrom } from '../setup/source.ts'
import { exportResult, exportTo, type ExportRequest } from './export-to.ts'
import { NETWORK_SHAPES, networkFrom, type NetworkOptions } from './network.ts'
import { checkOptions } from './options.ts'
import type { ExportResult } from './results.ts'
import { called, type RunOptions } from './run.ts'

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
  /** Optional groups of the spec to include. */
  readonly groups?: readonly string[]
  /** `linux/amd64`, or `all` alone; linux/amd64 and linux/arm64 by default. */
  readonly platforms?: readonly string[]
  readonly allowMissingPlatform?: boolean
  /** Mirrors to ask before a host: `{ 'docker.io': ['mirror.gcr.io'] }`. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>>
  /** Take signatures, attestations and SBOMs along. */
  readonly referrers?: boolean
  /** What BuildKit attests within an index is kept by default. */
  readonly attestations?: 'keep' | 'drop'
  /** A lock file; what has moved since is an error. */
  readonly lock?: string
  /** Leave out what the other side has: an earlier bundle, its lock, or an inventory. */
  readonly since?: string
  /** Read from this earlier bundle what it has. */
  readonly reuse?: string
  /** Render the charts with helm, where there is one; true by default. */
  readonly prove?: boolean
  /** The helm to render with; the one on the PATH by default. */
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
  return called(options, async (around) => {
    checkOptions(options, SHAPES)
    const medium = await newMediumAt(bundle, { signed: options.sign !== undefined }, around)
    const request = requestFrom(options)
    return exportResult(await exportTo(medium, request, around, () => undefined))
  })
}

// --- internal ---

const SHAPES = {
  ...NETWORK_SHAPES,
  images: 'texts',
  charts: 'texts',
  groups: 'texts',
  platforms: 'texts',
  allowMissingPlatform: 'flag',
  mirrors: 'object',
  referrers: 'flag',
  lock: 'text',
  since: 'text',
  reuse: 'text',
  prove: 'flag',
  helm: 'text',
  requireProof: 'flag',
  sign: 'text',
} as const

const requestFrom = (options: ExportOptions): ExportRequest => ({
  source: {
    lists: { specs: [options.spec ?? []].flat(), images: options.images ?? [], charts: options.charts ?? [] },
    groups: options.groups ?? [],
    without: [],
    platforms: platformsFrom(options.platforms ?? []),
    allowMissingPlatforms: options.allowMissingPlatform ?? false,
    mirrors: mergeMirrors(new Map(Object.entries(options.mirrors ?? {}))),
    referrers: options.referrers ?? false,
    dropAttestations: options.attestations === 'drop',
    lock: options.lock,
    helm: { ...PLAIN_HELM, prove: options.prove ?? true, program: options.helm },
    addMissing: addMissingFrom(options.addMissing),
    pick: PICK_ALL,
    requireProof: options.requireProof ?? false,
  },
  network: networkFrom(options),
  older: { since: options.since, reuse: options.reuse },
  programs: { platforms: [], from: [] },
  sign: options.sign === undefined ? undefined : { key: options.sign },
})

function addMissingFrom(given: ExportOptions['addMissing']): AddMissing {
  if (given === undefined || given === false) return 'none'
  return given === true ? 'needed' : given
}
