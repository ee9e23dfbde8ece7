import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { S3Failure } from './failure.ts'
import type { Received } from './receive.ts'
import { headerOf } from './signature.ts'
import {
  createBucket,
  forgotten,
  inMemory,
  joined,
  putObject,
  type Bucket,
  type Part,
  type S3Object,
  type Stored,
  type Upload,
} from './store.ts'
import { textsOf, xml, type Element } from './xml.ts'

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | { readonly content: Stored; readonly start: number; readonly end: number }
}

export interface Request {
  readonly action: string
  readonly bucket: Bucket
  readonly key: string
  readonly query: URLSearchParams
  readonly message: IncomingMessage
  /** Reads the body, with all its checks. */
  readonly body: () => Promise<Received>
}

export interface Rules {
  /** Of all parts but the last; 5 MiB at AWS. */
  readonly minPart: number
  /** Entries on a page of a list; 1000 at AWS. */
  readonly pageSize: number
  /** False for a store of old, which knows no `x-amz-checksum-*`. */
  readonly checksums: boolean
  /** Whether bytes are kept; without, only counted and hashed. */
  readonly keep: boolean
  /** A bucket policy may insist on encryption with a KMS key. */
  readonly requireKms: boolean
  readonly versioned: boolean
}

export type Action = (request: Request, rules: Rules) => Promise<Answer>

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MAX_PARTS = 10_000
const MAX_PART = 5 * 1024 ** 3
const MAX_OBJECT = 5 * 1024 ** 4

const SETTINGS = [
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-storage-class',
  'content-type',
]

const ok = (body: string): Answer => ({ status: 200, headers: { 'content-type': 'application/xml' }, body })

const settingsOf = (message: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    SETTINGS.flatMap((name) => (headerOf(message, name) === '' ? [] : [[name, headerOf(message, name)]])),
  )

function objectOf({ bucket, key, query, message }: Request): S3Object {
  const object = bucket.objects.get(key)
  if (object === undefined) throw new S3Failure(404, 'NoSuchKey', 'The specified key does not exist.')
  const version = query.get('versionId')
  if (version !== null && version !== object.version)
    throw new S3Failure(404, 'NoSuchVersion', 'The specified version does not exist.')
  const match = headerOf(message, 'if-match')
  if (match !== '' && match !== object.etag)
    throw new S3Failure(
      412,
      'PreconditionFailed',
      'At least one of the pre-conditions you specified did not hold',
      {},
      '<Condition>If-Match</Condition>',
    )
  if (object.archived === true)
    throw new S3Failure(
      403,
      'InvalidObjectState',
      "The operation is not valid for the object's storage class",
      {},
      '<StorageClass>GLACIER</StorageClass>',
    )
  return object
}

function uploadOf({ bucket, key, query }: Request): Upload {
  const upload = bucket.uploads.get(query.get('uploadId') ?? '')
  if (upload === undefined || upload.key !== key)
    throw new S3Failure(
      404,
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    )
  return upload
}

function headersOf(object: S3Object, { message }: Request, rules: Rules): Record<string, string> {
  const wanted =
    rules.checksums &&
    headerOf(message, 'x-amz-checksum-mode') === 'ENABLED' &&
    headerOf(message, 'range') === ''
  return {
    etag: object.etag,
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    ...(rules.versioned ? { 'x-amz-version-id': object.version } : {}),
    ...(wanted && object.sha256 !== undefined
      ? { 'x-amz-checksum-sha256': object.sha256, 'x-amz-checksum-type': 'COMPOSITE' }
      : {}),
    ...object.settings,
  }
}

const get: Action = async (request, rules) => {
  const object = objectOf(request)
  const headers = headersOf(object, request, rules)
  const range = /^bytes=(\d+)-(\d*)$/.exec(headerOf(request.message, 'range'))
  if (range === null) return { status: 200, headers, body: { content: object, start: 0, end: object.size } }
  const start = Number(range[1])
  const end = Math.min(range[2] === '' ? Infinity : Number(range[2]) + 1, object.size)
  if (start >= object.size)
    throw new S3Failure(416, 'InvalidRange', 'The requested range is not satisfiable', {
      'content-range': `bytes */${object.size}`,
    })
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${start}-${end - 1}/${object.size}` },
    body: { content: object, start, end },
  }
}

const head: Action = async (request, rules) => {
  const object = objectOf(request)
  return {
    status: 200,
    headers: { ...headersOf(object, request, rules), 'content-length': String(object.size) },
  }
}

const checkKms = ({ message }: Request, { requireKms }: Rules): void => {
  if (requireKms && headerOf(message, 'x-amz-server-side-encryption') !== 'aws:kms')
    throw new S3Failure(
      403,
      'AccessDenied',
      'User is not authorized to perform: s3:PutObject with an explicit deny in a resource-based policy',
    )
}

const versionOf = ({ versioned }: Rules): { version: string } => ({
  version: versioned ? randomUUID() : 'null',
})

const put: Action = async (request, rules) => {
  checkKms(request, rules)
  const { pieces, sha256 } = await request.body()
  const content = Buffer.concat(pieces)
  const object = putObject(request.bucket, request.key, content, {
    settings: settingsOf(request.message),
    sha256,
    ...versionOf(rules),
  })
  return { status: 200, headers: { etag: object.etag } }
}

const remove: Action = async ({ bucket, key }) => {
  bucket.objects.delete(key)
  return { status: 204 }
}

const create: Action = async (request, rules) => {
  checkKms(request, rules)
  const { bucket, key, message } = request
  const id = randomUUID()
  const checksum = rules.checksums ? headerOf(message, 'x-amz-checksum-algorithm') : ''
  bucket.uploads.set(id, {
    id,
    key,
    parts: new Map(),
    settings: { ...settingsOf(message), ...(checksum === '' ? {} : { algorithm: checksum }) },
    initiated: new Date().toISOString(),
  })
  return ok(
    xml('InitiateMultipartUploadResult', [
      ['Bucket', bucket.name],
      ['Key', key],
      ['UploadId', id],
    ]),
  )
}

const uploadPart: Action = async (request, rules) => {
  const upload = uploadOf(request)
  const number = Number(request.query.get('partNumber'))
  if (!(number >= 1 && number <= MAX_PARTS))
    throw new S3Failure(
      400,
      'InvalidArgument',
      'Part number must be an integer between 1 and 10000, inclusive',
    )
  const { pieces, size, md5, sha256 } = await request.body()
  if (size > MAX_PART)
    throw new S3Failure(
      400,
      'EntityTooLarge',
      'Your proposed upload exceeds the maximum allowed object size.',
    )
  const said =
    headerOf(request.message, 'x-amz-checksum-sha256') || headerOf(request.message, 'x-amz-trailer')
  if (upload.settings['algorithm'] === 'SHA256' && said === '')
    throw new S3Failure(
      400,
      'InvalidRequest',
      'The upload was created using the sha256 checksum mode. The complete request must include the checksum for each part.',
    )
  // It may have been aborted meanwhile.
  uploadOf(request)
  const part: Part = {
    ...(rules.keep ? inMemory(pieces) : forgotten(size)),
    etag: `"${md5}"`,
    ...(rules.checksums ? { sha256 } : {}),
  }
  upload.parts.set(number, part)
  return {
    status: 200,
    headers: { etag: part.etag, ...(rules.checksums ? { 'x-amz-checksum-sha256': sha256 } : {}) },
  }
}

const complete: Action = async (request, rules) => {
  const { bucket, key } = request
  const upload = uploadOf(request)
  const document = Buffer.concat((await request.body()).pieces).toString()
  const numbers = textsOf(document, 'PartNumber').map(Number)
  const etags = textsOf(document, 'ETag')
  const sums = textsOf(document, 'ChecksumSHA256')
  if (numbers.length === 0)
    throw new S3Failure(400, 'MalformedXML', 'The XML you provided was not well-formed')
  const parts = numbers.map((number, at) => {
    const part = upload.parts.get(number)
    if (at > 0 && number <= (numbers[at - 1] ?? 0))
      throw new S3Failure(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.')
    if (
      part === undefined ||
      part.etag.replaceAll('"', '') !== etags[at]?.replaceAll('"', '') ||
      (rules.checksums && (sums[at] ?? part.sha256) !== part.sha256)
    )
      throw new S3Failure(400, 'InvalidPart', 'One or more of the specified parts could not be found.')
    return part
  })
  if (upload.settings['algorithm'] === 'SHA256' && sums.length !== parts.length)
    throw new S3Failure(
      400,
      'InvalidRequest',
      'The complete request must include the checksum for each part.',
    )
  if (parts.slice(0, -1).some(({ size }) => size < rules.minPart))
    throw new S3Failure(
      400,
      'EntityTooSmall',
      'Your proposed upload is smaller than the minimum allowed size',
    )
  const content = joined(parts)
  if (content.size > MAX_OBJECT)
    throw new S3Failure(
      400,
      'EntityTooLarge',
      'Your proposed upload exceeds the maximum allowed object size.',
    )
  const said = headerOf(request.message, 'x-amz-mp-object-size')
  if (said !== '' && Number(said) !== content.size)
    throw new S3Failure(400, 'InvalidRequest', 'The provided object size does not match.')
  const all = (encoding: 'hex' | 'base64', of: readonly string[], algorithm: string): Buffer =>
    createHash(algorithm)
      .update(Buffer.concat(of.map((one) => Buffer.from(one, encoding))))
      .digest()
  const etag = `"${all(
    'hex',
    parts.map((part) => part.etag.replaceAll('"', '')),
    'md5',
  ).toString('hex')}-${parts.length}"`
  const composite = `${all(
    'base64',
    parts.map((part) => part.sha256 ?? ''),
    'sha256',
  ).toString('base64')}-${parts.length}`
  const { algorithm, ...settings } = upload.settings
  putObject(bucket, key, content, {
    etag,
    settings,
    ...versionOf(rules),
    ...(algorithm === 'SHA256' ? { sha256: composite } : {}),
  })
  bucket.uploads.delete(upload.id)
  return ok(
    xml('CompleteMultipartUploadResult', [
      ['Bucket', bucket.name],
      ['Key', key],
      ['ETag', etag],
      ...(algorithm === 'SHA256' ? [['ChecksumSHA256', composite] as const] : []),
    ]),
  )
}

const abort: Action = async (request) => {
  request.bucket.uploads.delete(uploadOf(request).id)
  return { status: 204 }
}

const listParts: Action = async (request, { pageSize }) => {
  const upload = uploadOf(request)
  const after = Number(request.query.get('part-number-marker') ?? 0)
  const all = [...upload.parts].toSorted(([a], [b]) => a - b).filter(([number]) => number > after)
  const page = all.slice(0, pageSize)
  return ok(
    xml('ListPartsResult', [
      ['Bucket', request.bucket.name],
      ['Key', upload.key],
      ['UploadId', upload.id],
      ['PartNumberMarker', after],
      ['NextPartNumberMarker', page.at(-1)?.[0] ?? after],
      ['MaxParts', pageSize],
      ['IsTruncated', String(all.length > page.length)],
      ...page.map(([number, { etag, size, sha256 }]): Element => [
        'Part',
        [
          ['PartNumber', number],
          ['LastModified', upload.initiated],
          ['ETag', etag],
          ['Size', size],
          ...(sha256 === undefined ? [] : [['ChecksumSHA256', sha256] as const]),
        ],
      ]),
    ]),
  )
}

const listUploads: Action = async ({ bucket, query }, { pageSize }) => {
  const prefix = query.get('prefix') ?? ''
  const marker = `${query.get('key-marker') ?? ''} ${query.get('upload-id-marker') ?? ''}`
  const all = [...bucket.uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .toSorted((a, b) => (`${a.key} ${a.id}` < `${b.key} ${b.id}` ? -1 : 1))
    .filter(({ key, id }) => `${key} ${id}` > marker)
  const page = all.slice(0, pageSize)
  return ok(
    xml('ListMultipartUploadsResult', [
      ['Bucket', bucket.name],
      ['NextKeyMarker', page.at(-1)?.key ?? ''],
      ['NextUploadIdMarker', page.at(-1)?.id ?? ''],
      ['IsTruncated', String(all.length > page.length)],
      ...page.map(({ key, id, initiated }): Element => [
        'Upload',
        [
          ['Key', key],
          ['UploadId', id],
          ['Initiated', initiated],
        ],
      ]),
    ]),
  )
}

export const ACTIONS: Readonly<Record<string, Action>> = {
  GetObject: get,
  HeadObject: head,
  PutObject: put,
  DeleteObject: remove,
  CreateMultipartUpload: create,
  UploadPart: uploadPart,
  CompleteMultipartUpload: complete,
  AbortMultipartUpload: abort,
  ListParts: listParts,
  ListMultipartUploads: listUploads,
}

/** What a request is, by its method and its query. */
export function actionOf(method: string, key: string, query: URLSearchParams): string | undefined {
  const inUpload = query.has('uploadId')
  if (key === '') return method === 'GET' && query.has('uploads') ? 'ListMultipartUploads' : undefined
  if (method === 'GET') return inUpload ? 'ListParts' : 'GetObject'
  if (method === 'HEAD') return 'HeadObject'
  if (method === 'PUT') return inUpload ? 'UploadPart' : 'PutObject'
  if (method === 'DELETE') return inUpload ? 'AbortMultipartUpload' : 'DeleteObject'
  if (method === 'POST')
    return inUpload ? 'CompleteMultipartUpload' : query.has('uploads') ? 'CreateMultipartUpload' : undefined
  return undefined
}

export { createBucket }
