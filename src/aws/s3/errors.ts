import { BundleError, messageOf, type ErrorKind } from '../../lib/errors.ts'
import { HttpError, isNotTls } from '../../lib/http/error.ts'
import type { RetryVerdict } from '../../lib/retry.ts'
import { AwsError, awsError, nextForPlain, type CallFacts } from '../errors.ts'
import type { S3Location } from './location.ts'

export interface S3CallFacts extends CallFacts {
  readonly location: S3Location
}

/**
 * Makes what S3 says no with into an error that a person can act on. Error codes:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
 */
export function s3Error(error: unknown, facts: S3CallFacts): BundleError {
  if (error instanceof HttpError)
    return error.at(facts.location.name, isNotTls(error) ? nextForPlain('s3', error.host) : error.next)
  if (error instanceof BundleError) return error
  const { location, action, region } = facts
  const where = location.name
  const code = error instanceof Error ? error.name : 'Error'
  const said = messageOf(error).trim()
  const make = (message: string, kind: ErrorKind, next: string): AwsError =>
    new AwsError(message, code, { kind, where, next, cause: error })
  const status = statusOf(error)

  if (code === 'NoSuchBucket')
    return make(
      `there is no bucket "${location.bucket}"`,
      'usage',
      'check its name, and which account owns it',
    )
  if (code === 'NoSuchKey' || code === 'NotFound')
    return make(
      `no such object in the bucket`,
      'usage',
      `list what is there: aws s3 ls s3://${location.bucket}/`,
    )
  if (code === 'InvalidObjectState') {
    const next =
      'restore it first: aws s3api restore-object, wait until it is there, and run the same command again'
    return make('the object is archived (Glacier) and cannot be read at once', 'failed', next)
  }
  if (code === 'PreconditionFailed')
    return make(
      'the object was replaced while it was read',
      'integrity',
      'run the same command again: it reads the new one',
    )
  if (code.startsWith('KMS.')) {
    const next = 'look at the state of the KMS key that the object or the bucket is encrypted with'
    return make(`${action} failed: the KMS key cannot be used: ${said}`, 'auth', next)
  }
  if (/^(PermanentRedirect|TemporaryRedirect|Redirect|301|307)$/.test(code))
    return make(`the bucket is not in ${region}`, 'usage', 'set AWS_REGION to the region of the bucket')
  if (code === 'InvalidRequest' && /encrypted using a form of Server Side Encryption/i.test(said)) {
    const next = 'copy it to a key that is encrypted with SSE-S3 or SSE-KMS'
    return make(
      'the object is encrypted with a key of its own (SSE-C), which is never sent here',
      'failed',
      next,
    )
  }
  if (isDenied(code, status))
    return make(
      `${action} is not allowed${said === '' ? '' : `: ${said}`}`,
      'auth',
      nextForDenied(said, facts),
    )
  if (
    /^(SlowDown|ServiceUnavailable|ThrottlingException|RequestTimeout)$/.test(code) ||
    (status ?? 0) >= 500
  ) {
    const next = 'wait a little and run the same command again; lower --concurrency if it happens often'
    return make(`${action} failed: S3 is busy or has a failure of its own: ${said || code}`, 'network', next)
  }
  return awsError(error, { ...facts, where })
}

/** Which failures pass. A clock that is off is set by the SDK from the first refusal, so one more try tells. */
export function judgeS3(error: unknown): RetryVerdict {
  if (error instanceof HttpError) return { retryable: error.retryable }
  if (!(error instanceof Error) || error instanceof BundleError) return { retryable: false }
  const status = statusOf(error)
  if (error.name === 'RequestTimeTooSkewed') return { retryable: true, attempts: 2 }
  const asked =
    /^(SlowDown|Throttl\w*|TooManyRequests\w*|RequestLimitExceeded|503)$/.test(error.name) || status === 429
  const passes =
    /^(InternalError|ServiceUnavailable|RequestTimeout|OperationAborted|BadDigest|XAmzContentSHA256Mismatch)$/
  return { retryable: asked || passes.test(error.name) || (status ?? 0) >= 500, asked }
}

export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const { $metadata: metadata } = error
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}

// --- internal ---

const isDenied = (code: string, status: number | undefined): boolean =>
  /^(AccessDenied|AllAccessDisabled|AccountProblem|Forbidden|403)$/.test(code) ||
  (status === 403 && /^(Unknown(Error)?|Error)$/.test(code))

function nextForDenied(said: string, { action, location, region }: S3CallFacts): string {
  const kms = /\bkms:\w+/.exec(said)?.[0]
  if (kms !== undefined) return `allow ${kms} on the KMS key, in the policy of the key and of this identity`
  if (/VPC endpoint policy/i.test(said)) return `allow ${action} in the policy of the VPC endpoint of S3`
  const arn = location.bucket.startsWith('arn:') ? location.bucket : `arn:aws:s3:::${location.bucket}`
  const target = /List|Bucket/.test(action) ? arn : `${arn}/${location.key}`
  return (
    `allow ${action} on ${target} for this identity in ${region} (policies of the bucket, the VPC endpoint and the KMS key ` +
    `count too)${action === 's3:GetObject' ? '; without s3:ListBucket, S3 says the same of an object that is not there' : ''}`
  )
}
