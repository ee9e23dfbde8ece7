import { BundleError, codeOf, messageOf, type ErrorFacts, type ErrorKind } from '../lib/errors.ts'
import { isObject } from '../oci/manifest.ts'
import type { AwsConfig } from './config/config.ts'
import { explain, HttpError, isNotTls } from '../lib/http/error.ts'
import { nextForCredentials } from './environment.ts'

/** What AWS refused. `exception` is the name the API model gives it, as in `LimitExceededException`. */
export class AwsError extends BundleError {
  override readonly name = 'AwsError'
  readonly exception: string
  /** Whether something answered at all. */
  readonly isAnswer: boolean

  constructor(message: string, exception: string, facts: ErrorFacts) {
    super(message, facts)
    this.exception = exception
    this.isAnswer = statusOf(facts.cause) !== undefined
  }
}

/** Where a call went, for the person who reads about its failure. */
export interface CallFacts {
  /** As IAM names it: `ecr:CreateRepository`. */
  readonly action: string
  /** Host of the API. */
  readonly endpoint: string
  readonly region: string
  readonly aws: AwsConfig
  /** What the call was about: `repository mirrored/quay.io/x`. */
  readonly where?: string
}

/** Makes an error of the SDK, of its credential chain or of the network into one that a person can act on. */
export function awsError(error: unknown, facts: CallFacts): BundleError {
  if (error instanceof HttpError) return unanswered(error, facts)
  if (error instanceof BundleError) return error
  const exception = nameOf(error)
  const said = messageOf(error).trim()
  const make = (message: string, kind: ErrorKind, next?: string): AwsError =>
    new AwsError(message, exception, {
      kind,
      cause: error,
      where: facts.where ?? `${facts.endpoint} (${facts.region})`,
      ...(next === undefined ? {} : { next }),
    })
  const failed = (why: string): string => `${facts.action} failed: ${why}`

  if (exception === 'AbortError') return make('cancelled', 'cancelled')
  if (codeOf(error) === 'ENOENT') {
    // The message names a path of this machine.
    const why = 'a file that the environment names is not there'
    return make(`no usable AWS credentials: ${why}`, 'auth', nextForCredentials(why, facts.aws))
  }
  if (CREDENTIALS.test(exception)) {
    const about = facts.action.startsWith('sso') ? `sso: ${said}` : said
    return make(`no usable AWS credentials: ${firstLine(said)}`, 'auth', nextForCredentials(about, facts.aws))
  }
  if (CLOCK.test(exception) || CLOCK_TEXT.test(said)) {
    return make(
      failed(`AWS refuses the signature: ${said}`),
      'auth',
      'compare the clock of this machine with a time server (more than 5 minutes off is refused), ' +
        'then the secret access key',
    )
  }
  if (EXPIRED.test(exception)) {
    return make(
      failed(`the AWS credentials have expired: ${said}`),
      'auth',
      nextForCredentials('expired', facts.aws),
    )
  }
  if (UNKNOWN_KEY.test(exception)) {
    return make(
      failed(`AWS does not know these credentials: ${said}`),
      'auth',
      `${nextForCredentials(said, facts.aws)}; they must also be of the partition that ${facts.region} is in`,
    )
  }
  if (DENIED.test(exception)) return make(failed(said || exception), 'auth', nextForDenied(said, facts))
  if (THROTTLED.test(exception)) {
    return make(
      failed(`the quota of this account and region is used up: ${said}`),
      'network',
      'run the same command again to resume where it stopped; or raise the quota in Service Quotas',
    )
  }
  if (/LimitExceeded/.test(exception)) {
    return make(
      failed(said),
      'failed',
      'raise the quota in Service Quotas, or delete what is no longer needed',
    )
  }
  const code = exception === 'TimeoutError' ? 'ETIMEDOUT' : codeOf(error)
  if (code !== undefined && (NETWORK.test(code) || isCertificate(code))) {
    const host = hostOf(error) ?? facts.endpoint
    const why = explain(Object.assign(new Error(firstLine(said)), { code }), { host })
    return why instanceof HttpError ? unanswered(why, facts, exception) : why
  }
  if (/^(Unknown(Error)?|SyntaxError)$/.test(exception)) {
    const status = statusOf(error)
    return make(
      failed(`what answers there${status === undefined ? '' : ` (with ${status})`} is not AWS`),
      'network',
      'see whether a proxy or another service answers at this name',
    )
  }
  if ((statusOf(error) ?? 0) >= 500) {
    return make(
      failed(`${said} (${exception})`),
      'network',
      'AWS has a failure of its own; run the same command again',
    )
  }
  return make(failed(exception === 'Error' ? said : `${said} (${exception})`), 'failed')
}

/** Whether AWS refused with this exception. */
export const isException = (error: unknown, ...names: readonly string[]): error is AwsError =>
  error instanceof AwsError && names.includes(error.exception)

/** What to do about a host that does not speak TLS: the name of a service's endpoint says how it is reached. */
export function nextForPlain(action: string, host: string): string {
  const [service = ''] = action.split(':')
  const how =
    service === 'kms'
      ? `name the key as awskms:///<key> and set AWS_ENDPOINT_URL_KMS=http://${host}`
      : service === 'ecr'
        ? `pass --endpoint-url http://${host}`
        : `set AWS_ENDPOINT_URL_${service.toUpperCase().replaceAll('-', '_')}=http://${host}`
  return `AWS always speaks TLS: check the host and the port; a stand-in for it without TLS is reached with: ${how}`
}

/** What blocks an action, by IAM's words: which policy, and whose. */
export function nextForDenied(
  said: string,
  { action, region }: Pick<CallFacts, 'action' | 'region'>,
): string {
  if (/VPC endpoint policy/i.test(said)) {
    return `allow ${action} in the policy of the VPC endpoint: it counts besides the policies of the role`
  }
  if (/service control policy|permissions boundary|resource-based policy/i.test(said)) {
    const which = /service control policy|permissions boundary|resource-based policy/i.exec(said)?.[0]
    return `it is the ${which?.toLowerCase()} that blocks ${action}, not the role's own policy`
  }
  if (action.startsWith('sts:')) {
    return (
      `allow ${action} on the role for this identity, and let the trust policy of the role name it ` +
      '(with the external id, if it asks for one: --external-id)'
    )
  }
  if (action.startsWith('sso:')) return 'see whether this account and permission set are assigned to you'
  if (action.startsWith('kms:')) {
    return `allow kms:GetPublicKey and kms:Sign on this key for this identity, in its own policies and in the key's`
  }
  return (
    `allow ${action} for this identity in ${region}; ma-bundle iam-policy prints all that is needed ` +
    '(a VPC endpoint policy or a service control policy can forbid it too)'
  )
}

// --- internal ---

/** No answer, or that of a proxy: the host says which service it was, whatever the command was about. */
function unanswered(error: HttpError, facts: CallFacts, exception = error.code): AwsError {
  const { host, code } = error
  const own = code === 'PROXY' || isCertificate(code)
  const next = isNotTls(error)
    ? nextForPlain(facts.action, host)
    : own
      ? error.next
      : nextForNetwork(host, facts)
  return new AwsError(`${facts.action} failed: ${error.message}`, exception, {
    kind: 'network',
    cause: error,
    where: facts.where ?? `${host} (${facts.region})`,
    ...(next === undefined ? {} : { next }),
  })
}

const CREDENTIALS = /^(CredentialsProviderError|TokenProviderError|ProviderError)$/
const CLOCK =
  /^(SignatureDoesNotMatch|InvalidSignatureException|RequestExpired|RequestTimeTooSkewed|RequestInTheFuture)$/
const CLOCK_TEXT = /signature (not yet current|expired)|system clock/i
const EXPIRED = /^(ExpiredToken|ExpiredTokenException|TokenRefreshRequired)$/
const UNKNOWN_KEY =
  /^(UnrecognizedClientException|InvalidClientTokenId|InvalidAccessKeyId|AuthFailure|IncompleteSignature|IncompleteSignatureException|MissingAuthenticationToken|MissingAuthenticationTokenException|OptInRequired|InvalidIdentityToken|InvalidIdentityTokenException)$/
const DENIED = /^(AccessDenied|AccessDeniedException|UnauthorizedOperation|ForbiddenException)$/
const THROTTLED =
  /^(Throttling|ThrottlingException|ThrottledException|TooManyRequestsException|RequestLimitExceeded)$/
const NETWORK =
  /^(E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|CONNABORTED|HOSTUNREACH|NETUNREACH|TIMEDOUT)|EPIPE|ConnectionRefused|ConnectionClosed|UND_ERR_.*|ERR_PROXY_TUNNEL)$/

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'Error')

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''

const isCertificate = (code: string): boolean =>
  /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS|ERR_SSL/.test(code)

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error) || !isObject(error.$metadata)) return undefined
  const { httpStatusCode } = error.$metadata
  return typeof httpStatusCode === 'number' ? httpStatusCode : undefined
}

/** DNS errors name the host, which may be that of STS when a role is assumed. */
const hostOf = (error: unknown): string | undefined =>
  error instanceof Error && 'hostname' in error && typeof error.hostname === 'string'
    ? error.hostname
    : undefined

function nextForNetwork(host: string, { action, region }: CallFacts): string {
  if (action.startsWith('sso')) {
    return (
      'IAM Identity Center has no endpoint inside a VPC: look at HTTPS_PROXY and NO_PROXY, or take a session along ' +
      'from where it can be reached: eval "$(aws configure export-credentials --format env)"'
    )
  }
  const service =
    /^sts[.-]/.test(host) || action.startsWith('sts:') ? 'sts' : action.startsWith('kms:') ? 'kms' : 'ecr.api'
  return (
    `in an isolated VPC the interface endpoint ${service} of ${region} must exist, ` +
    'with private DNS and port 443 open from here; elsewhere look at HTTPS_PROXY and NO_PROXY'
  )
}
