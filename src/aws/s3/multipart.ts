import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Bytes } from '../../lib/bytes/bytes.ts'
import { integrityError } from '../../lib/errors.ts'
import { isException } from '../errors.ts'
import type { S3 } from './client.ts'
import { statusOf } from './errors.ts'
import type { S3Location } from './location.ts'
import { asked, type S3Storage } from './object.ts'
import { withTrailer } from './trailer.ts'

/** A part that S3 has. */
export interface S3Part {
  readonly number: number
  readonly size: number
  readonly etag: string
  /** Base64; stores of old do not tell it. */
  readonly sha256: string | undefined
}

/** What became of an object, for comparison. */
export interface S3Outcome {
  readonly size: number
  readonly etag: string
  readonly sha256: string | undefined
}

/**
 * Begins an object that is uploaded in parts, each with a sha256 that S3 compares. Nothing is seen of it before it is
 * completed. https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 * @returns the id of the upload
 */
export async function createUpload(s3: S3, { bucket, key }: S3Location, storage: S3Storage): Promise<string> {
  const { UploadId } = await s3.call('CreateMultipartUpload', (api, options) =>
    api.createMultipartUpload(
      {
        Bucket: bucket,
        Key: key,
        ChecksumAlgorithm: 'SHA256',
        ChecksumType: 'COMPOSITE',
        ContentType: 'application/x-tar',
        ...asked(storage),
      },
      options,
    ),
  )
  if (UploadId === undefined) throw integrityError('S3 began an upload and did not say which')
  return UploadId
}

/** Uploads a part from memory; a part of the same number is replaced. */
export async function uploadPart(
  s3: S3,
  { bucket, key }: S3Location,
  id: string,
  number: number,
  body: Uint8Array,
): Promise<S3Part> {
  const sha256 = createHash('sha256').update(body).digest('base64')
  const { ETag = '' } = await s3.call('UploadPart', (api, options) =>
    api.uploadPart(
      { Bucket: bucket, Key: key, UploadId: id, PartNumber: number, Body: body, ChecksumSHA256: sha256 },
      options,
    ),
  )
  return { number, size: body.length, etag: ETag, sha256 }
}

/** A part too large for memory: its sha256 follows it as a trailer. It can be tried once only. */
export async function streamPart(
  s3: S3,
  { bucket, key }: S3Location,
  id: string,
  part: { readonly number: number; readonly size: number },
  content: Bytes,
): Promise<S3Part> {
  const { number, size } = part
  const trailed = withTrailer(content, size)
  const { ETag = '', ChecksumSHA256 } = await s3.once('UploadPart', (api, options) =>
    api.uploadPart(
      {
        Bucket: bucket,
        Key: key,
        UploadId: id,
        PartNumber: number,
        Body: trailed.body,
        ContentLength: trailed.length,
      },
      options,
    ),
  )
  const sha256 = trailed.sha256()
  if (ChecksumSHA256 !== undefined && ChecksumSHA256 !== sha256) {
    throw integrityError(`S3 has other bytes of part ${number} than were sent`)
  }
  return { number, size, etag: ETag, sha256 }
}

/** What is there of an upload, by number; nothing when it is not there any more, or the store cannot tell. */
export async function listParts(
  s3: S3,
  { bucket, key }: S3Location,
  id: string,
): Promise<readonly S3Part[] | undefined> {
  const parts: S3Part[] = []
  let marker: string | undefined
  try {
    for (;;) {
      const after = marker
      const page = await s3.call('ListParts', (api, options) =>
        api.listParts(
          {
            Bucket: bucket,
            Key: key,
            UploadId: id,
            ...(after === undefined ? {} : { PartNumberMarker: after }),
          },
          options,
        ),
      )
      for (const { PartNumber = 0, Size = 0, ETag = '', ChecksumSHA256 } of page.Parts ?? [])
        parts.push({ number: PartNumber, size: Size, etag: ETag, sha256: ChecksumSHA256 })
      marker = page.NextPartNumberMarker
      if (page.IsTruncated !== true || marker === after) return parts
    }
  } catch (error) {
    if (isException(error, 'NoSuchUpload', 'NoSuchKey', 'MethodNotAllowed', 'NotImplemented'))
      return undefined
    throw error
  }
}

/** Makes the object appear. @returns its ETag; nothing when the upload is not there any more */
export async function completeUpload(
  s3: S3,
  { bucket, key }: S3Location,
  id: string,
  parts: readonly S3Part[],
): Promise<string | undefined> {
  try {
    const { ETag } = await s3.call('CompleteMultipartUpload', (api, options) =>
      api.completeMultipartUpload(
        {
          Bucket: bucket,
          Key: key,
          UploadId: id,
          MultipartUpload: {
            Parts: parts.map(({ number, etag, sha256 }) => ({
              PartNumber: number,
              ETag: etag,
              ...(sha256 === undefined ? {} : { ChecksumSHA256: sha256 }),
            })),
          },
        },
        options,
      ),
    )
    return ETag
  } catch (error) {
    if (isException(error, 'NoSuchUpload')) return undefined
    throw error
  }
}

/** Deletes what was uploaded; that there is nothing is no error. */
export async function abortUpload(s3: S3, { bucket, key }: S3Location, id: string): Promise<void> {
  try {
    await s3.call('AbortMultipartUpload', (api, options) =>
      api.abortMultipartUpload({ Bucket: bucket, Key: key, UploadId: id }, options),
    )
  } catch (error) {
    if (!isException(error, 'NoSuchUpload')) throw error
  }
}

/** What S3 says of the object that is there now; nothing when there is none. */
export async function headObject(s3: S3, location: S3Location): Promise<S3Outcome | undefined> {
  const { bucket: Bucket, key: Key } = location
  const head = () =>
    s3.call('HeadObject', (api, options) => api.headObject({ Bucket, Key, ChecksumMode: 'ENABLED' }, options))
  try {
    const {
      ContentLength = 0,
      ETag = '',
      ChecksumSHA256,
      ChecksumType,
    } = await head().catch(async (error: unknown) => {
      if (!isElsewhere(error)) throw error
      // The answer to a HEAD has no body, in which a store may say what is wrong, and where the bucket is.
      await s3.call('GetObject', async (api, options) => {
        const { Body } = await api.getObject({ Bucket, Key, Range: 'bytes=0-0' }, options)
        for await (const chunk of Body as Readable as Bytes) if (chunk.length > 0) break
      })
      return head()
    })
    return {
      size: ContentLength,
      etag: ETag,
      sha256: ChecksumType === 'FULL_OBJECT' ? undefined : ChecksumSHA256,
    }
  } catch (error) {
    if (isException(error, 'NotFound', 'NoSuchKey', '404')) return undefined
    throw error
  }
}

/** The ETag of an object in parts, where those of the parts are their MD5; what stores without sha256 can be asked for. */
export function compositeEtag(parts: readonly S3Part[]): string | undefined {
  const hash = createHash('md5')
  for (const { etag } of parts) {
    const md5 = /^"?([0-9a-f]{32})"?$/.exec(etag)?.[1]
    if (md5 === undefined) return undefined
    hash.update(Buffer.from(md5, 'hex'))
  }
  return `"${hash.digest('hex')}-${parts.length}"`
}

/** Whether two composite sha256 are one; some stores leave the number of parts out. */
export const isSameComposite = (one: string, other: string): boolean =>
  one.replace(/-\d+$/, '') === other.replace(/-\d+$/, '')

/**
 * The sha256 that S3 has of an object in parts: that of the parts' sha256, with their number.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 * @returns nothing when it is not known of each part
 */
export function compositeSha256(parts: readonly S3Part[]): string | undefined {
  const hash = createHash('sha256')
  for (const { sha256 } of parts) {
    if (sha256 === undefined) return undefined
    hash.update(Buffer.from(sha256, 'base64'))
  }
  return `${hash.digest('base64')}-${parts.length}`
}

// --- internal ---

/** What a store answers for a bucket of another region. */
const isElsewhere = (error: unknown): boolean =>
  error instanceof Error && [301, 307, 400].includes(statusOf(error.cause) ?? 0)
