import type { S3 as Sdk } from '@aws-sdk/client-s3'
import { BundleError } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import type { Http } from '../../lib/http/client.ts'
import { createPatience, retry, type Patience, type RetryPolicy } from '../../lib/retry.ts'
import type { AwsConfig } from '../config/config.ts'
import { awsCredentials, sdkLogger } from '../credentials.ts'
import type { AwsEvent } from '../events.ts'
import { judgeS3, s3Error } from './errors.ts'
import { transportOver } from './transport.ts'
import type { S3Location } from './location.ts'
import { trailerHeaders } from './trailer.ts'

export interface S3Options {
  /** Read before the first call. */
  readonly aws: () => Promise<AwsConfig>
  /** What carries every request; made before the first. */
  readonly http: (aws: AwsConfig) => Http
  readonly emit: Emit<AwsEvent>
  readonly signal: AbortSignal
  readonly policy?: Partial<RetryPolicy>
}

/** S3 as one bucket sees it: the client follows the bucket to its region. */
export interface S3 {
  /**
   * One call of `action` (as in `GetObject`), tried again for as long as that makes sense; whatever goes wrong comes
   * back as a BundleError. Nothing is loaded before the first.
   */
  call<T>(action: string, run: Run<T>, location?: S3Location): Promise<T>
  /** The same, tried once: for streams, whose patience begins again from the start with every piece. */
  once<T>(action: string, run: Run<T>): Promise<T>
  /** For what is tried by `once`. */
  patience(action: string): Patience
  /** What an error of `once` means in words. */
  explain(action: string, error: unknown, location?: S3Location): Error
}

export type Run<T> = (api: Sdk, options: { abortSignal: AbortSignal }) => Promise<T>

/**
 * The client of `@aws-sdk/client-s3`: it signs, knows the endpoints of every partition, FIPS, IPv6 and access points,
 * and reads the XML. `AWS_ENDPOINT_URL_S3` and its like name another store, whose buckets are in the path.
 */
export function createS3(home: S3Location, options: S3Options): S3 {
  const { signal, emit } = options
  let region: string | undefined
  let config: AwsConfig | undefined
  let carrier: Http | undefined
  let client: Promise<Sdk> | undefined
  const tried = new Set<string>()

  const load = async (): Promise<Sdk> => {
    const { S3: Client } = await import('@aws-sdk/client-s3')
    const aws = (config ??= await options.aws())
    const http = (carrier ??= options.http(aws))
    // Any region will do, as S3 says which one is right.
    region ??= aws.region ?? 'us-east-1'
    tried.add(region)
    const endpoint = aws.endpoint('S3')
    const { requestHandler, ...reading } = transportOver(http, (found) => {
      if (tried.has(found)) return
      region = found
      client = undefined
    })
    const made = new Client({
      region,
      credentials: await awsCredentials({ aws, http, region, emit }),
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
      ...(requestHandler === undefined ? {} : { requestHandler }),
      ...reading,
      useDualstackEndpoint: endpoint === undefined && aws.variant.dualStack,
      useFipsEndpoint: endpoint === undefined && aws.variant.fips,
      useArnRegion: true,
      // Waiting, telling of it and giving up are ours, and so are checksums: a part's is known before it is sent.
      maxAttempts: 1,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      expectContinueHeader: false,
      logger: sdkLogger(emit),
      ...(aws.profile === undefined ? {} : { profile: aws.profile }),
    })
    signWithKnownDigest(made)
    return made
  }
  const once = async <T>(run: Run<T>): Promise<T> => {
    for (;;) {
      client ??= load()
      const mine = client
      try {
        return await run(await mine, { abortSignal: signal })
      } catch (error) {
        // Unless another region was named meanwhile: then the same request is signed for that one.
        if (client === mine) throw error
      }
    }
  }
  const patience = (action: string): Patience =>
    createPatience({
      judge: judgeS3,
      signal,
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      onRetry: (attempt, waitMs, error) => {
        const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
        emit({ type: 'retry', host: home.bucket, what: `s3:${action}`, attempt: attempt + 1, waitMs, reason })
      },
    })
  const explain = (action: string, error: unknown, location: S3Location = home): Error => {
    // The SDK has a word of its own for that.
    if (signal.aborted && signal.reason instanceof BundleError) return signal.reason
    // Without a configuration there was no call: what went wrong is what the configuration says.
    if (config === undefined) return error instanceof Error ? error : new Error(String(error))
    const endpoint = config.endpoint('S3')
    const facts = {
      action: PERMISSIONS[action] ?? `s3:${action}`,
      endpoint: endpoint === undefined ? 's3' : new URL(endpoint).host,
      region: region ?? '',
      aws: config,
      location,
    }
    return s3Error(error, facts)
  }
  return {
    once: (_, run) => once(run),
    patience,
    explain,
    async call(action, run, location) {
      try {
        return await retry(patience(action), () => once(run))
      } catch (error) {
        throw explain(action, error, location)
      }
    },
  }
}

// --- internal ---

/**
 * Where an action is not the permission it needs.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
 */
const PERMISSIONS: Readonly<Record<string, string>> = {
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  ListParts: 's3:ListMultipartUploadParts',
  HeadObject: 's3:GetObject',
}

/** A body whose sha256 is known already, or comes behind it, is not hashed once more for its signature. */
function signWithKnownDigest({ middlewareStack }: Sdk): void {
  middlewareStack.add(
    (next) => (args) => {
      const { input, request } = args
      if (!hasHeaders(request)) return next(args)
      if ('ChecksumSHA256' in input && typeof input.ChecksumSHA256 === 'string') {
        request.headers['x-amz-content-sha256'] = Buffer.from(input.ChecksumSHA256, 'base64').toString('hex')
      }
      if ('Body' in input) Object.assign(request.headers, trailerHeaders(input.Body))
      return next(args)
    },
    { step: 'build', name: 'signWithKnownDigest' },
  )
}

const hasHeaders = (request: unknown): request is { readonly headers: Record<string, string> } =>
  typeof request === 'object' && request !== null && 'headers' in request
