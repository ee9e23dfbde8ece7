import type { GetPublicKeyCommandOutput, KMS } from '@aws-sdk/client-kms'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { BundleError, usageError } from '../../lib/errors.ts'
import { silent, type Emit } from '../../lib/events.ts'
import type { AwsConfig } from '../config/config.ts'
import { awsCredentials, sdkLogger } from '../credentials.ts'
import { awsError, isException } from '../errors.ts'
import type { AwsEvent } from '../events.ts'
import type { KmsKeyName } from './key-name.ts'
import { kmsApi, partitionOf } from '../partition.ts'
import { awsHttp, sdkTransport } from '../transport.ts'

export interface KmsOptions {
  readonly aws: AwsConfig
  /** CAs to trust besides. */
  readonly caFiles?: readonly string[]
  readonly signal?: AbortSignal
  readonly emit?: Emit<AwsEvent>
}

/** A key pair whose private half never leaves KMS. */
export interface KmsKey {
  readonly publicKey: KeyObject
  /** @returns an ECDSA signature in DER of something with this sha256 */
  sign(digest: Uint8Array): Promise<Uint8Array>
  close(): void
}

/**
 * Opens an ECDSA P-256 key, and sees whether these credentials may sign with it: whoever may not learns so before a
 * long export. Needs kms:GetPublicKey and kms:Sign.
 * @throws a usage error for a key that is not there or is of another kind, an auth or network error as ECR's API does
 */
export async function openKmsKey(name: KmsKeyName, options: KmsOptions): Promise<KmsKey> {
  const { aws, signal } = options
  const { KMS } = await import('@aws-sdk/client-kms')
  const region = name.region ?? aws.region
  if (region === undefined) {
    throw usageError('the region of the key is not known', {
      next: 'set AWS_REGION, or name the key by its ARN',
    })
  }
  const partition = partitionOf(region)
  if (partition === undefined) throw usageError(`"${region}" is not an AWS region`)
  const endpoint = name.endpoint ?? aws.endpoint('KMS') ?? kmsApi(region, partition, aws.variant)
  const client = await connect(KMS, region, endpoint, options)
  const call = async <T>(
    action: string,
    run: (to: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    try {
      return await run(signal === undefined ? {} : { abortSignal: signal })
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      const facts = { action: `kms:${action}`, endpoint: new URL(endpoint).host, region, aws }
      throw inPlainWords(awsError(error, { ...facts, where: `${name.keyId} in ${region}` }), region)
    }
  }
  try {
    const found = await call('GetPublicKey', (to) => client.getPublicKey({ KeyId: name.keyId }, to))
    const publicKey = publicHalf(found, name.keyId)
    // An alias may be led to another key at any time; this is the one whose public half we have.
    const common = {
      KeyId: found.KeyId ?? name.keyId,
      SigningAlgorithm: ALGORITHM,
      MessageType: 'DIGEST',
    } as const
    await call('Sign', (to) =>
      client.sign({ ...common, Message: new Uint8Array(32), DryRun: true }, to),
    ).catch((error: unknown) => {
      if (!isException(error, 'DryRunOperationException')) throw error
    })
    return {
      publicKey,
      async sign(digest) {
        const { Signature } = await call('Sign', (to) => client.sign({ ...common, Message: digest }, to))
        return Signature ?? new Uint8Array()
      },
      close: () => client.destroy(),
    }
  } catch (error) {
    client.destroy()
    throw error
  }
}

// --- internal ---

/** Judged by the key itself: not everything that speaks like KMS says what kind it is of. */
function publicHalf({ PublicKey, KeySpec }: GetPublicKeyCommandOutput, where: string): KeyObject {
  const der = Buffer.from(PublicKey ?? [])
  const key = der.length === 0 ? undefined : createPublicKey({ key: der, format: 'der', type: 'spki' })
  if (key?.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key
  throw usageError(`the key is of kind ${KeySpec ?? key?.asymmetricKeyType ?? 'unknown'}; ${SPEC} is used`, {
    where,
    next: MAKE,
  })
}

const SPEC = 'ECC_NIST_P256'
const ALGORITHM = 'ECDSA_SHA_256'
const MAKE = `make one with: aws kms create-key --key-spec ${SPEC} --key-usage SIGN_VERIFY`
const ATTEMPTS = 5

async function connect(
  Client: typeof KMS,
  region: string,
  endpoint: string,
  { aws, caFiles, emit = silent }: KmsOptions,
): Promise<KMS> {
  const http = awsHttp(aws, caFiles)
  return new Client({
    region,
    endpoint,
    credentials: await awsCredentials({ aws, http, emit, region }),
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    maxAttempts: ATTEMPTS,
    requestHandler: sdkTransport(http),
    logger: sdkLogger(emit),
    ...(aws.profile === undefined ? {} : { profile: aws.profile }),
  })
}

/** What only KMS says. */
function inPlainWords(error: BundleError, region: string): BundleError {
  const where = error.where ?? 'KMS'
  if (isException(error, 'NotFoundException')) {
    return usageError('AWS KMS has no such key', {
      where,
      next: `an alias belongs to one account and region; see: aws kms list-aliases --region ${region}`,
      cause: error,
    })
  }
  if (isException(error, 'DisabledException', 'KMSInvalidStateException')) {
    return new BundleError('the key cannot sign: it is disabled or about to be deleted', {
      kind: 'failed',
      where,
      next: 'see its state with: aws kms describe-key',
      cause: error,
    })
  }
  if (isException(error, 'InvalidKeyUsageException', 'UnsupportedOperationException'))
    return usageError('the key is not a signing key', { where, next: MAKE, cause: error })
  return error
}
