import { randomUUID } from 'node:crypto'
import { EcrError } from './errors.ts'
import type { Answer } from './http.ts'
import type { Principal, Registry } from './registry.ts'
import type { AccessKey } from './signature.ts'

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html; the only action there is. */
export function callerIdentity(
  registry: Registry,
  key: AccessKey,
  principal: Principal,
  body: Uint8Array,
): Answer {
  const form = new URLSearchParams(new TextDecoder().decode(body))
  if (form.get('Action') !== 'GetCallerIdentity')
    throw new EcrError('UnknownOperationException', `Could not find operation ${form.get('Action') ?? ''}`)
  const userId = principal.arn.includes(':assumed-role/')
    ? 'AROAEXAMPLE:session'
    : key.accessKeyId.replace(/^AKIA/, 'AIDA')
  return xml(
    200,
    `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>${principal.arn}</Arn><UserId>${userId}</UserId><Account>${registry.account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
  )
}

/** STS has its own names for what is wrong with credentials, and answers 403. */
export const stsError = (error: EcrError): Answer =>
  xml(
    error.type === 'ThrottlingException' ? 400 : 403,
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${CODES[error.type] ?? error.type}</Code><Message>${error.message.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
  )

// --- internal ---

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
