import { randomUUID } from 'node:crypto'
import { EcrError } from './errors.ts'
import type { Answer } from './http.ts'
import type { Principal, Registry } from './registry.ts'
import type { AccessKey } from './signature.ts'

/** One call of STS: GetCallerIdentity or AssumeRole. */
export interface StsCall {
  readonly registry: Registry
  readonly key: AccessKey
  readonly principal: Principal
  readonly form: URLSearchParams
  /** All there are: those of roles are handed out. */
  readonly keys: readonly AccessKey[]
}

export const isStsAction = (action: string | null): action is 'GetCallerIdentity' | 'AssumeRole' =>
  action === 'GetCallerIdentity' || action === 'AssumeRole'

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
export function callerIdentity({ registry, key, principal }: StsCall): Answer {
  const userId = principal.arn.includes(':assumed-role/')
    ? 'AROAEXAMPLE:session'
    : key.accessKeyId.replace(/^AKIA/, 'AIDA')
  return result(
    'GetCallerIdentity',
    `<Arn>${principal.arn}</Arn><UserId>${userId}</UserId><Account>${registry.account}</Account>`,
  )
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html; a role's trust is in its external id only. */
export function assumeRole({ principal, form, keys }: StsCall): Answer {
  const arn = form.get('RoleArn') ?? ''
  const found = keys.find(({ role }) => role?.arn === arn)
  if (found === undefined || found.role?.externalId !== (form.get('ExternalId') ?? undefined))
    throw new EcrError(
      'AccessDeniedException',
      `User: ${principal.arn} is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
    )
  const { accessKeyId, secretAccessKey, sessionToken = '' } = found
  const expiration = new Date(Date.now() + 3_600_000).toISOString()
  return result(
    'AssumeRole',
    `<Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:${form.get('RoleSessionName') ?? ''}</AssumedRoleId><Arn>${found.arn ?? arn}</Arn></AssumedRoleUser>`,
  )
}

/** STS has its own names for what is wrong with credentials, and answers 403. */
export const stsError = (error: EcrError): Answer =>
  xml(
    error.type === 'ThrottlingException' ? 400 : 403,
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${CODES[error.type] ?? error.type}</Code><Message>${error.message.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
  )

// --- internal ---

const result = (action: string, body: string): Answer =>
  xml(
    200,
    `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${body}</${action}Result><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`,
  )

const CODES: Readonly<Partial<Record<EcrError['type'], string>>> = {
  AccessDeniedException: 'AccessDenied',
  ExpiredTokenException: 'ExpiredToken',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  ThrottlingException: 'Throttling',
  UnrecognizedClientException: 'InvalidClientTokenId',
}

const xml = (status: number, body: string): Answer => ({
  status,
  headers: { 'content-type': 'text/xml' },
  body,
})
