import type { Repair } from '../bundle/import/compare.ts'
import { defaultValuesFile } from '../bundle/import/write-values.ts'
import { PICK_ALL } from '../bundle/spec/pick.ts'
import { mediumAt } from '../bundle/media/at.ts'
import { DEFAULT_CHART_PREFIX, DEFAULT_PREFIX } from '../bundle/format/destination.ts'
import { usageError } from '../lib/errors.ts'
import { layoutOf } from '../setup/target.ts'
import { importFrom, importResult, type ImportRequest } from './import-from.ts'
import { NETWORK_SHAPES, networkFrom, type NetworkOptions } from './network.ts'
import { checkOptions, requireOption } from './options.ts'
import type { ImportResult } from './results.ts'
import { called, type RunOptions } from './run.ts'

export interface ImportOptions extends RunOptions, NetworkOptions {
  /** Where to: an ECR host, or any OCI registry, perhaps with a path. */
  readonly registry: string
  /** Where images and charts land below it; `mirrored` and `charts` by default. */
  readonly prefix?: string
  readonly chartPrefix?: string
  /** File to write the Helm values override to; `ma-bundle-values.yaml` by default. */
  readonly values?: string
  /** Write digests into the values where a chart has a place for them. */
  readonly pinDigests?: boolean
  /**
   * Look below what is there already: push what the registry lost (`missing`), and replace blobs with wrong bytes too
   * (`wrong`), for which each is read. One request for each root by default.
   */
  readonly repair?: 'missing' | 'wrong'
  /** Public key (PEM file) that must have signed the bundle. */
  readonly verifyKey?: string
  /** Where the signature is, when not next to the bundle. */
  readonly signature?: string
  /** Of ECR, when its host does not tell it. */
  readonly region?: string
  /** Address of the ECR API; treats the registry as ECR. */
  readonly endpointUrl?: string
}

/**
 * Pushes everything in a bundle into a registry and writes the Helm values override. What is there already costs one
 * request each, so call again after any failure.
 * @param bundle a file, or another place that the command line can read
 * @throws MaBundleError
 */
export function importBundle(bundle: string, options: ImportOptions): Promise<ImportResult> {
  return called(options, async (around) => {
    checkOptions(options, SHAPES)
    const registry = requireOption('registry', options.registry)
    const layout = layoutOf({
      registry,
      prefix: options.prefix ?? DEFAULT_PREFIX,
      chartPrefix: options.chartPrefix ?? DEFAULT_CHART_PREFIX,
      endpointUrl: options.endpointUrl,
    })
    const request: ImportRequest = {
      layout,
      target: {
        registry: layout.registry,
        network: networkFrom(options),
        region: options.region,
        endpointUrl: options.endpointUrl,
        repositories: () => Promise.resolve({}),
        applySettings: false,
        resumableUploads: false,
      },
      trust: options,
      pick: PICK_ALL,
      repair: repairFrom(options.repair),
      values: options.values ?? defaultValuesFile,
      pinDigests: options.pinDigests ?? false,
    }
    return importResult(await importFrom(await mediumAt(bundle, around), request, around))
  })
}

// --- internal ---

function repairFrom(repair: ImportOptions['repair']): Repair {
  if (repair === undefined || repair === 'missing' || repair === 'wrong') return repair ?? 'none'
  throw usageError('repair is neither "missing" nor "wrong"', { where: 'option "repair"' })
}

const SHAPES = {
  ...NETWORK_SHAPES,
  registry: 'text',
  prefix: 'text',
  chartPrefix: 'text',
  repair: 'text',
  values: 'text',
  pinDigests: 'flag',
  verifyKey: 'text',
  signature: 'text',
  region: 'text',
  endpointUrl: 'text',
} as const
