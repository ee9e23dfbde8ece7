import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { collect } from '../../lib/bytes/bytes.ts'
import { integrityError } from '../../lib/errors.ts'
import { isException } from '../errors.ts'
import type { S3 } from './client.ts'
import type { S3Location } from './location.ts'

/** How an object is kept: by the settings of the bucket, by default. */
export interface S3Storage {
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms'
  readonly SSEKMSKeyId?: string
  readonly StorageClass?: string
}

/** Where an object is to be, and how it is to be kept. */
export interface S3Target {
  readonly s3: S3
  readonly location: S3Location
  readonly storage: S3Storage
}

/** A small object as text, or nothing when there is none. */
export async function getText(s3: S3, location: S3Location): Promise<string | undefined> {
  const content = await getSmall(s3, location)
  return content === undefined ? undefined : new TextDecoder().decode(content)
}

/** A small object, or nothing when there is none. More than `limit` bytes are refused. */
export async function getSmall(
  s3: S3,
  location: S3Location,
  limit = 1024 * 1024,
): Promise<Uint8Array | undefined> {
  const { bucket: Bucket, key: Key } = location
  try {
    return await s3.call(
      'GetObject',
      async (api, options) => {
        const { ContentLength = Infinity, Body } = await api.getObject({ Bucket, Key }, options)
        if (ContentLength > limit) {
          throw integrityError(`the object has ${ContentLength} bytes; at most ${limit} are read`, {
            where: location.name,
          })
        }
        return collect(Body as Readable)
      },
      location,
    )
  } catch (error) {
    if (isException(error, 'NoSuchKey')) return undefined
    throw error
  }
}

/** Writes a small object, its sha256 checked by S3. */
export async function putText(
  s3: S3,
  location: S3Location,
  text: string,
  storage: S3Storage = {},
): Promise<void> {
  const body = new TextEncoder().encode(text)
  await s3.call(
    'PutObject',
    (api, options) =>
      api.putObject(
        {
          Bucket: location.bucket,
          Key: location.key,
          Body: body,
          ContentLength: body.length,
          ChecksumSHA256: createHash('sha256').update(body).digest('base64'),
          ...asked(storage),
        },
        options,
      ),
    location,
  )
}

export const deleteObject = (s3: S3, location: S3Location): Promise<unknown> =>
  s3.call(
    'DeleteObject',
    (api, options) => api.deleteObject({ Bucket: location.bucket, Key: location.key }, options),
    location,
  )

/** New storage classes come faster than releases of the SDK; S3 says itself which it does not know. */
export const asked = ({ StorageClass, ...rest }: S3Storage) => ({
  ...rest,
  ...(StorageClass === undefined ? {} : { StorageClass: StorageClass as 'STANDARD' }),
})
