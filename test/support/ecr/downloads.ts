import { createHmac, timingSafeEqual } from 'node:crypto'
import { hexOf, isDigest, type Digest } from '../../../src/oci/digest.ts'
import { header, type Answer, type Call } from './http.ts'
import type { Door } from './listener.ts'
import type { Registry } from './registry.ts'

/** A presigned URL of the bucket behind ECR, good for `seconds`. */
export function presign(
  origin: string,
  region: string,
  digest: Digest,
  now: number,
  seconds: number,
): string {
  const date = `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
  const path = `/${hexOf(digest).slice(0, 4)}/${hexOf(digest)}`
  const query = new URLSearchParams({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Date': date,
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Expires': String(seconds),
    'X-Amz-Credential': `AKIASTARPORTEXAMPLE0/${date.slice(0, 8)}/${region}/s3/aws4_request`,
  })
  return `${origin}${path}?${query}&X-Amz-Signature=${sign(path, query)}`
}

/** The S3 bucket that blob GETs are redirected to: presigned, ranged, allergic to `Authorization`. */
export const downloads = (registry: Registry): Door => ({
  plane: 's3',
  route: () => [],
  failure: (status) => xml(status, 'InternalError', 'We encountered an internal error. Please try again.'),
  handle: (call) => Promise.resolve(handle(registry, call)),
})

// --- internal ---

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function handle(registry: Registry, call: Call): Answer {
  if (header(call, 'authorization') !== undefined)
    return xml(
      400,
      'InvalidArgument',
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
    )
  const query = new URLSearchParams(call.url.searchParams)
  const given = query.get('X-Amz-Signature') ?? ''
  query.delete('X-Amz-Signature')
  // Signed for GET: a HEAD is another request.
  if (call.method !== 'GET' || !same(given, sign(call.url.pathname, query)))
    return xml(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    )
  const date = query.get('X-Amz-Date') ?? ''
  const began = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (registry.now() > began + Number(query.get('X-Amz-Expires')) * 1000)
    return xml(403, 'AccessDenied', 'Request has expired')
  const digest = `sha256:${call.url.pathname.split('/')[2] ?? ''}`
  const content = isDigest(digest) ? registry.blobs.get(digest) : undefined
  if (content === undefined) return xml(404, 'NoSuchKey', 'The specified key does not exist.')
  const { size } = content
  const headers = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: `"${digest.slice(7, 39)}"`,
  }
  const asked = header(call, 'range')
  if (asked === undefined) return { status: 200, headers, body: { content, start: 0, end: size } }
  const range = rangeOf(asked, size)
  if (range === undefined)
    return {
      ...xml(416, 'InvalidRange', 'The requested range is not satisfiable'),
      headers: { 'content-range': `bytes */${size}` },
    }
  const { start, end } = range
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${start}-${end - 1}/${size}` },
    body: { content, start, end },
  }
}

/** One range; `end` is exclusive. */
function rangeOf(asked: string, size: number): { readonly start: number; readonly end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(asked)
  const [, from = '', to = ''] = match ?? []
  if (match === null || (from === '' && to === '')) return undefined
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1)
  return start < end ? { start, end } : undefined
}

const sign = (path: string, query: URLSearchParams): string =>
  createHmac('sha256', 'the bucket of the double').update(`GET ${path}?${query}`).digest('hex')

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const xml = (status: number, code: string, message: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
})
