import command from '../commands/import.ts'
import { networkFlags, type NetworkOptions } from './network.ts'
import type { ImportResult } from './results.ts'
import { runCommand, type RunOptions } from './run.ts'

export interface ImportOptions extends RunOptions, NetworkOptions {
  /** Where to: an ECR host, or any OCI registry, perhaps with a path. */
  readonly registry: string
  /** Where images and charts land below it; `mirrored` and `charts` unless told. */
  readonly prefix?: string
  readonly chartPrefix?: string
  /** File to write the Helm values override to; `ma-bundle-values.yaml` unless told. */
  readonly values?: string
  /** Write digests into the values where a chart has a place for them. */
  readonly pinDigests?: boolean
  /** Public key (PEM file) that must have signed the bundle. */
  readonly verifyKey?: string
  /** Where the signature is, when not beside the bundle. */
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
  const { registry, prefix, chartPrefix, values, pinDigests, verifyKey, signature, region, endpointUrl } =
    options
  const { flags, stdin } = networkFlags(options)
  const args = {
    registry,
    prefix,
    chartPrefix,
    values,
    pinDigests,
    verifyKey,
    signature,
    region,
    endpointUrl,
  }
  return runCommand(command, { bundle, ...args, ...flags }, options, stdin)
}
