import type { ECR } from '@aws-sdk/client-ecr'
import type { BundleError } from '../../lib/errors.ts'
import { usageError } from '../../lib/errors.ts'
import { silent, type Emit } from '../../lib/events.ts'
import { createPool, type Pool } from '../../lib/pool.ts'
import { connectionTo, type Trust } from '../connection.ts'
import { awsCredentials, sdkLogger } from '../credentials.ts'
import type { Env } from '../../lib/http/proxy.ts'
import { endpointFrom } from '../environment.ts'
import { awsError } from '../errors.ts'
import type { AwsEvent } from '../events.ts'
import { apiEndpoint, type EcrHost } from '../host.ts'
import { ecrApi, partitionOf, type Partition } from '../partition.ts'
import { encodePartsLean } from './layers/body.ts'
import { reportRetries } from './retries.ts'

export interface EcrOptions {
  /** The registry. Without it (a stand-in on loopback), `region` has to be given. */
  readonly host?: EcrHost
  /** Overrides the host's. */
  readonly region?: string
  /** Overrides `AWS_ENDPOINT_URL_ECR` and `AWS_ENDPOINT_URL`. */
  readonly endpointUrl?: string
  readonly env: Env
  /** By host (with port); `createTrust({ env })` unless given. */
  readonly trust?: Trust
  readonly signal?: AbortSignal
  readonly emit?: Emit<AwsEvent>
  /** Tries per call, the first included; 8 unless told. */
  readonly attempts?: number
}

/** The control plane of one registry. */
export interface Ecr {
  readonly region: string
  readonly partition: Partition
  readonly host: EcrHost | undefined
  /** Of the API: `https://api.ecr.…`. */
  readonly endpoint: string
  readonly env: Env
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
  const { env, host, signal, emit = silent } = options
  const region = options.region ?? host?.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION
  if (!region) {
    throw usageError('the region of the registry is not known', {
      next: 'give --region, or name the registry by its full ECR host name',
    })
  }
  const partition = partitionOf(region)
  if (partition === undefined) {
    throw usageError(`"${region}" is not an AWS region`, { next: 'write it as in eu-central-1' })
  }
  const endpoint = checkedUrl(
    options.endpointUrl ?? endpointFrom(env, 'ECR') ?? ownEndpoint(options, region, partition),
  )
  let client: Promise<ECR> | undefined
  let opened: ECR | undefined

  return {
    region,
    partition,
    host,
    endpoint,
    env,
    signal,
    emit,
    parts: createPool(PARTS_AT_ONCE),
    registry: host === undefined ? {} : { registryId: host.account },
    async call(action, run, where) {
      const facts = { action: `ecr:${action}`, endpoint: new URL(endpoint).host, region, env }
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
  const [{ ECR }, credentials] = await Promise.all([
    import('@aws-sdk/client-ecr'),
    awsCredentials({ ...options, region }),
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
    requestHandler: connectionTo(endpoint, options),
    logger: sdkLogger(options.emit),
    ...(options.env.AWS_PROFILE ? { profile: options.env.AWS_PROFILE } : {}),
  })
  encodePartsLean(api)
  reportRetries(api, new URL(endpoint).host, options.emit)
  return api
}

function ownEndpoint({ host, region, env }: EcrOptions, chosen: string, partition: Partition): string {
  const dualStack = env.AWS_USE_DUALSTACK_ENDPOINT?.toLowerCase() === 'true'
  if (host !== undefined && (region ?? host.region) === host.region) return apiEndpoint(host, { dualStack })
  return ecrApi(chosen, partition, { dualStack, fips: env.AWS_USE_FIPS_ENDPOINT?.toLowerCase() === 'true' })
}

function checkedUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw usageError(`not a URL of an AWS endpoint: "${text.slice(0, 200)}"`, {
    next: 'write it with its scheme, as in https://vpce-….api.ecr.eu-central-1.vpce.amazonaws.com',
  })
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
