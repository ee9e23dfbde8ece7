import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { EcrError } from './errors.ts'
import { header, type Call } from './http.ts'
import type { ApiAction } from './options.ts'
import type { Principal, Registry } from './registry.ts'

export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Temporary credentials carry one, and it must match. */
  readonly sessionToken?: string
  /** An IAM user of the account by default. */
  readonly arn?: string
  /** Its session is over: ExpiredTokenException. */
  readonly expired?: boolean
  /** The role whose session this is: AssumeRole hands it out to whoever signs with another key. */
  readonly role?: { readonly arn: string; readonly externalId?: string }
  /** What IAM denies to this one, besides what is denied to all. */
  readonly denied?: readonly ApiAction[]
}

/** The example key of the AWS documentation. */
export const EXAMPLE_KEY: AccessKey = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}

export interface Signatures {
  /** Who signed. @throws the exceptions of AWS for a missing, unknown, expired or wrong signature */
  verify(
    call: Call,
    body: Uint8Array,
    service: string,
  ): { readonly key: AccessKey; readonly principal: Principal }
  /** By key id, for a token issued earlier. */
  principal(keyId: string): Principal | undefined
}

const MAX_SKEW_MS = 5 * 60 * 1000

export function createSignatures(
  registry: Pick<Registry, 'partition' | 'account' | 'region' | 'now'>,
  keys: readonly AccessKey[] = [EXAMPLE_KEY],
  denied: Iterable<ApiAction> = [],
): Signatures {
  const principalOf = (key: AccessKey): Principal => ({
    arn: key.arn ?? `arn:${registry.partition}:iam::${registry.account}:user/ma-bundle`,
    denied: new Set([...denied, ...(key.denied ?? [])]),
  })
  return {
    principal(keyId) {
      const key = keys.find((one) => one.accessKeyId === keyId)
      return key === undefined ? undefined : principalOf(key)
    },
    verify(call, body, service) {
      const parts = parse(header(call, 'authorization'))
      const key = keys.find((one) => one.accessKeyId === parts.keyId)
      const token = header(call, 'x-amz-security-token')
      if (key === undefined || token !== key.sessionToken)
        throw new EcrError(
          'UnrecognizedClientException',
          'The security token included in the request is invalid.',
        )
      if (key.expired === true)
        throw new EcrError('ExpiredTokenException', 'The security token included in the request is expired')
      if (parts.region !== registry.region)
        throw refused(`Credential should be scoped to a valid region, not '${parts.region}'.`)
      if (parts.service !== service)
        throw refused(`Credential should be scoped to correct service: '${service}'.`)
      const date = header(call, 'x-amz-date') ?? ''
      if (!date.startsWith(parts.day))
        throw refused('Date in Credential scope does not match YYYYMMDD from ISO-8601.')
      checkClock(date, registry.now())
      const wanted = Buffer.from(signature(call, body, parts, date, key.secretAccessKey))
      const given = Buffer.from(parts.signature)
      if (wanted.length !== given.length || !timingSafeEqual(wanted, given))
        throw refused(
          'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
        )
      return { key, principal: principalOf(key) }
    },
  }
}

// --- internal ---

interface Parts {
  readonly keyId: string
  readonly day: string
  readonly region: string
  readonly service: string
  readonly signed: readonly string[]
  readonly signature: string
}

const refused = (why: string): EcrError => new EcrError('InvalidSignatureException', why)

function parse(authorization: string | undefined): Parts {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization ?? '',
    )
  if (match === null)
    throw new EcrError('MissingAuthenticationTokenException', 'Missing Authentication Token')
  const [, keyId = '', day = '', region = '', service = '', signed = '', signature = ''] = match
  return { keyId, day, region, service, signed: signed.split(';'), signature }
}

function checkClock(date: string, now: number): void {
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  const stamp = (ms: number) => `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
  const limit = `(${stamp(now)} ${at < now ? '-' : '+'} 5 min.)`
  if (Number.isNaN(at) || at < now - MAX_SKEW_MS)
    throw refused(`Signature expired: ${date} is now earlier than ${stamp(now - MAX_SKEW_MS)} ${limit}`)
  if (at > now + MAX_SKEW_MS)
    throw refused(
      `Signature not yet current: ${date} is still later than ${stamp(now + MAX_SKEW_MS)} ${limit}`,
    )
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex')

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function signature(call: Call, body: Uint8Array, parts: Parts, date: string, secret: string): string {
  const query = [...call.url.searchParams]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .toSorted()
    .join('&')
  const headers = parts.signed.map(
    (name) => `${name}:${(header(call, name) ?? '').trim().replaceAll(/ +/g, ' ')}\n`,
  )
  const canonical = [
    call.method,
    call.url.pathname,
    query,
    headers.join(''),
    parts.signed.join(';'),
    sha256(body),
  ]
  const scope = `${parts.day}/${parts.region}/${parts.service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical.join('\n'))].join('\n')
  let key: string | Buffer = `AWS4${secret}`
  for (const step of [parts.day, parts.region, parts.service, 'aws4_request'])
    key = createHmac('sha256', key).update(step).digest()
  return createHmac('sha256', key).update(text).digest('hex')
}
