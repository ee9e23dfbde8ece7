import type { ECR } from '@aws-sdk/client-ecr'
import type { BundleError } from '../../lib/errors.ts'
import { usageError } from '../../lib/errors.ts'
import { silent, type Emit } from '../../lib/events.ts'
import { createPool, type Pool } from '../../lib/pool.ts'
import { checkedEndpoint, type AwsConfig } from '../config/config.ts'
import { awsCredentials, sdkLogger } from '../credentials.ts'
import { awsError } from '../errors.ts'
import type { AwsEvent } from '../events.ts'
import type { EcrHost } from '../host.ts'
import { ecrApi, partitionOf, type Partition } from '../partition.ts'
import { awsHttp, sdkTransport } from '../transport.ts'
import { encodePartsLean } from './layers/body.ts'
import { reportRetries } from './retries.ts'

export interface EcrOptions {
  /** The registry. Without it (a stand-in on loopback), `region` has to be given. */
  readonly host?: EcrHost
  /** Overrides the host's. */
  readonly region?: string
  /** Overrides what the environment and the profile say. */
  readonly endpointUrl?: string
  readonly aws: AwsConfig
  /** CAs to trust besides. */
  readonly caFiles?: readonly string[]
  readonly signal?: AbortSignal
  readonly emit?: Emit<AwsEvent>
  /** Tries per call, the first included; 8 by default. */
  readonly attempts?: number
}

/** The control plane of one registry. */
export interface Ecr {
  readonly region: string
  readonly partition: Partition
  readonly host: EcrHost | undefined
  /** Of the API: `https://api.ecr.…`. */
  readonly endpoint: string
  readonly aws: AwsConfig
  readonly signal: AbortSignal | undefined
  readonly emit: Emit<AwsEvent>
  /** Parts of layers on their way; each is in memory twice, as bytes and as base64. */
  readonly parts: Pool
  /** For calls that can name another account's registry; empty when the registry's account is not known. */
  readonly registry: { readonly registryId?: string }
  /** Runs calls of `action` (as in `CreateRepository`); whatever goes wrong comes back as a BundleError. */
  call<T>(
    action: string,
    run: (api: ECR, options: { abortSignal?: AbortSignal }) => Promise<T>,
    where?: string,
  ): Promise<T>
  close(): void
}

/**
 * Opens the API of a registry; nothing is loaded or sent before the first call. Retries adapt to throttling.
 * Only the registry's region is spoken to, and only by its regional names.
 * @throws a usage error when neither host nor region says where the registry is
 */
export function createEcr(options: EcrOptions): Ecr {
  const { aws, host, signal, emit = silent } = options
  const region = options.region ?? host?.region ?? aws.region
  if (!region) {
    throw usageError('the region of the registry is not known', {
      next: 'give --region, or name the registry by its full ECR host name',
    })
  }
  const partition = partitionOf(region)
  if (partition === undefined) {
    throw usageError(`"${region}" is not an AWS region`, { next: 'write it as in eu-central-1' })
  }
  const endpoint = checkedEndpoint(
    options.endpointUrl ?? aws.endpoint('ECR') ?? ownEndpoint(options, region, partition),
  )
  let client: Promise<ECR> | undefined
  let opened: ECR | undefined

  return {
    region,
    partition,
    host,
    endpoint,
    aws,
    signal,
    emit,
    parts: createPool(PARTS_AT_ONCE),
    registry: host === undefined ? {} : { registryId: host.account },
    async call(action, run, where) {
      const facts = { action: `ecr:${action}`, endpoint: new URL(endpoint).host, region, aws }
      try {
        client ??= load({ ...options, emit }, region, endpoint)
        opened = await client
        return await run(opened, signal === undefined ? {} : { abortSignal: signal })
      } catch (error) {
        throw toBundleError(error, signal, { ...facts, ...(where === undefined ? {} : { where }) })
      }
    },
    close() {
      opened?.destroy()
    },
  }
}

// --- internal ---

const PARTS_AT_ONCE = 1

/** Throttling and a lost connection pass within seconds. */
const ATTEMPTS = 8

async function load(
  options: EcrOptions & { emit: Emit<AwsEvent> },
  region: string,
  endpoint: string,
): Promise<ECR> {
  const { aws, emit } = options
  const http = awsHttp(aws, options.caFiles)
  const [{ ECR }, credentials] = await Promise.all([
    import('@aws-sdk/client-ecr'),
    awsCredentials({ aws, http, region, emit }),
  ])
  const api = new ECR({
    region,
    endpoint,
    credentials,
    // A given endpoint and these two exclude each other; the variant is chosen already.
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    retryMode: 'adaptive',
    maxAttempts: options.attempts ?? ATTEMPTS,
    requestHandler: sdkTransport(http),
    logger: sdkLogger(emit),
    ...(aws.profile === undefined ? {} : { profile: aws.profile }),
  })
  encodePartsLean(api)
  reportRetries(api, new URL(endpoint).host, emit)
  return api
}

/** A registry by its FIPS name is spoken to by FIPS only, also where nothing else says so. */
function ownEndpoint({ host, aws }: EcrOptions, region: string, partition: Partition): string {
  const fips = aws.variant.fips || (host?.fips === true && host.region === region)
  return ecrApi(region, partition, { ...aws.variant, fips })
}

function toBundleError(
  error: unknown,
  signal: AbortSignal | undefined,
  facts: Parameters<typeof awsError>[1],
): BundleError {
  // The SDK wraps an abort in an error of its own name.
  const aborted = signal?.aborted === true && error instanceof Error && error.name === 'AbortError'
  return awsError(aborted ? (signal.reason ?? error) : error, facts)
}
