import { usageError } from '../../lib/errors.ts'

/** An object of S3, or of a store that speaks its language. */
export interface S3Location {
  /** The name of a bucket, or the ARN of an access point. */
  readonly bucket: string
  readonly key: string
  /** As it was written: `s3://bucket/key`. */
  readonly name: string
}

/** Whether a name means S3 at all, well written or not. */
export const isS3 = (name: string): boolean => /^s3:\/\//i.test(name)

/**
 * `s3://bucket/key`, or `s3://<ARN of an access point>/key`. The key is taken as it stands, nothing is decoded.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 * @throws a usage error when a part is missing, or cannot be one
 */
export function parseS3(name: string): S3Location {
  const wrong = (why: string): Error =>
    usageError(`"${name.slice(0, 200)}" is no object of S3: ${why}`, {
      next: 'write it as s3://bucket/folder/bundle.tar',
    })
  const [, bucket = '', key = ''] =
    /^s3:\/\/(arn:[^/]+:accesspoint\/[^/]+|[^/]*)(?:\/(.*))?$/is.exec(name) ?? []
  if (bucket === '') throw wrong('it names no bucket')
  if (!bucket.startsWith('arn:') && !BUCKET.test(bucket)) throw wrong(`no bucket can be called "${bucket}"`)
  if (key === '' || key.endsWith('/')) throw wrong('it names a folder, not an object')
  if (new TextEncoder().encode(key).length > KEY_LIMIT)
    throw wrong(`its key is longer than ${KEY_LIMIT} bytes`)
  // An SDK or a proxy on the way may resolve these as a web server would, and mean another object.
  if (/(^|\/)\.{1,2}(\/|$)/.test(key)) throw wrong('its key has a part "." or ".."')
  return { bucket, key, name }
}

/** The object beside it: its key with a suffix. */
export const beside = ({ bucket, key, name }: S3Location, suffix: string): S3Location => ({
  bucket,
  key: `${key}${suffix}`,
  name: `${name}${suffix}`,
})

// --- internal ---

/** Looser than today's rules: buckets older than these have capitals and underscores. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/
const KEY_LIMIT = 1024
