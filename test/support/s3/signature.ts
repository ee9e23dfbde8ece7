import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { S3Failure } from './failure.ts'

export interface S3Key {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Its session is over. */
  readonly expired?: boolean
}

/** The example key of the AWS documentation. */
export const EXAMPLE: S3Key = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}

export interface SignatureRules {
  readonly keys: readonly S3Key[]
  /** Of the bucket that is asked for. */
  readonly region: string
  readonly now: () => number
  /** Where a refusal names the region of the bucket; other stores than AWS's leave the header out. */
  readonly namesRegion: 'header' | 'body'
}

const MAX_SKEW_MS = 15 * 60 * 1000

/**
 * Checks the signature as S3 does: the path is not encoded twice, and the digest of the payload is a header.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * @returns the digest of the payload as it was signed
 */
export function checkSignature(
  request: IncomingMessage,
  { keys, region, now, namesRegion }: SignatureRules,
): string {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    )
  if (match === null) throw new S3Failure(403, 'AccessDenied', 'Access Denied')
  const [, keyId = '', day = '', signedRegion = '', service = '', names = '', signature = ''] = match
  const key = keys.find(({ accessKeyId }) => accessKeyId === keyId)
  if (key === undefined)
    throw new S3Failure(
      403,
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    )
  if (key.expired === true) throw new S3Failure(400, 'ExpiredToken', 'The provided token has expired.')
  if (headerOf(request, 'x-amz-security-token') !== (key.sessionToken ?? ''))
    throw new S3Failure(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
  const date = headerOf(request, 'x-amz-date')
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!date.startsWith(day) || Number.isNaN(at) || Math.abs(at - now()) > MAX_SKEW_MS)
    throw new S3Failure(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    )
  if (service !== 's3' || signedRegion !== region) {
    throw new S3Failure(
      400,
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${signedRegion}' is wrong; expecting '${region}'`,
      namesRegion === 'header' ? { 'x-amz-bucket-region': region } : {},
      `<Region>${region}</Region>`,
    )
  }
  const payload = headerOf(request, 'x-amz-content-sha256')
  if (payload === '')
    throw new S3Failure(
      400,
      'InvalidRequest',
      'Missing required header for this request: x-amz-content-sha256',
    )
  const signed = names.split(';')
  for (const name of ['host', 'x-amz-content-sha256', 'x-amz-date', ...amzHeaders(request)]) {
    if (!signed.includes(name))
      throw new S3Failure(
        403,
        'AccessDenied',
        `There were headers present in the request which were not signed: ${name}`,
      )
  }
  if (
    wanted(request, { day, region, service, date, signed, payload, secret: key.secretAccessKey }) !==
    signature
  )
    throw new S3Failure(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    )
  return payload
}

export const headerOf = (request: IncomingMessage, name: string): string => {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(',') : (value ?? '')
}

// --- internal ---

const amzHeaders = (request: IncomingMessage): string[] =>
  Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

interface Parts {
  readonly day: string
  readonly region: string
  readonly service: string
  readonly date: string
  readonly signed: readonly string[]
  readonly payload: string
  readonly secret: string
}

function wanted(request: IncomingMessage, parts: Parts): string {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const pairs = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .toSorted()
  const headers = parts.signed.map(
    (name) => `${name}:${headerOf(request, name).trim().replaceAll(/ +/g, ' ')}\n`,
  )
  const canonical = [
    request.method,
    path,
    pairs.join('&'),
    headers.join(''),
    parts.signed.join(';'),
    parts.payload,
  ]
  const scope = `${parts.day}/${parts.region}/${parts.service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', parts.date, scope, sha256(canonical.join('\n'))].join('\n')
  let key: string | Buffer = `AWS4${parts.secret}`
  for (const step of [parts.day, parts.region, parts.service, 'aws4_request'])
    key = createHmac('sha256', key).update(step).digest()
  return createHmac('sha256', key).update(text).digest('hex')
}
