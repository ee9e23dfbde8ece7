import { BundleError, codeOf, messageOf } from '../errors.ts'

/** Where an exchange went. */
export interface Peer {
  /** Host with port, as in the URL. */
  readonly host: string
  /** Host with port of the proxy in between. */
  readonly proxy?: string
}

/** No answer: the exchange failed below HTTP, or at a proxy. */
export class HttpError extends BundleError {
  override readonly name = 'HttpError'

  /**
   * @param code the system's or the TLS library's (`ECONNREFUSED`), or `STALLED`, `PROXY`
   * @param retryable whether the same request may succeed a little later
   */
  constructor(
    message: string,
    readonly code: string,
    readonly host: string,
    readonly retryable: boolean,
    facts: { readonly where?: string; readonly next?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { kind: 'network', ...facts })
  }

  /** The same failure, attributed to `where`, and with what else to do next. */
  at(where: string, otherwise: string | undefined = this.next): HttpError {
    const next = otherwise === undefined ? {} : { next: otherwise }
    return new HttpError(this.message, this.code, this.host, this.retryable, {
      where,
      cause: this.cause,
      ...next,
    })
  }
}

/** A web page came where none is served: most likely the login page of a network or a proxy. */
export class PortalError extends BundleError {
  override readonly name = 'PortalError'

  constructor(
    message: string,
    readonly host: string,
    facts: { readonly where?: string; readonly next: string },
  ) {
    super(message, { kind: 'failed', ...facts })
  }
}

/**
 * The host closed a connection that was kept alive, just when it was to be used again: nothing is wrong, and nothing
 * was answered. https://www.rfc-editor.org/rfc/rfc9112#section-9.6
 */
export class StaleConnection extends HttpError {}

/** Nothing of the host was reached, or it never answered: most likely a wrong name, or a firewall. */
export const isUnreached = ({ code }: HttpError): boolean => UNREACHED.has(code)

/** What answers there may be meant to be reached over plain http; how to say so depends on who asks. */
export const isNotTls = (error: BundleError): boolean =>
  error instanceof HttpError && REASONS[error.code] === NOT_TLS

/** Says in a person's words why there is no answer. Errors that already are for people stay as they are. */
export function explain(error: unknown, { host, proxy }: Peer): BundleError {
  if (error instanceof BundleError) return error
  const code = codeOf(error) ?? 'UNKNOWN'
  const at = proxy === undefined ? host : `${host} (through the proxy ${proxy})`
  const make = (why: string, retryable: boolean, next?: string) =>
    new HttpError(`${at}: ${why}`, code, host, retryable, {
      cause: error,
      ...(next === undefined ? {} : { next }),
    })
  if (UNTRUSTED.has(code)) {
    return make(
      'its certificate is signed by a CA that is not trusted here',
      false,
      `if you trust it, pass the CA with --ca-file, or set SSL_CERT_FILE`,
    )
  }
  const known = code.includes('CERTIFICATE_REQUIRED') ? WANTS_CERTIFICATE : REASONS[code]
  if (known !== undefined) return make(known.why, known.retryable ?? false, known.next)
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code.startsWith('CERT_')) {
    return make(`TLS failed: ${messageOf(error)} (${code})`, false)
  }
  // A server that does not speak TLS, or stops a TLS handshake, shows itself only as a hang-up.
  const hungUp = TRANSIENT.has(code) || /hang up|aborted|closed/i.test(messageOf(error))
  return make(hungUp ? `the connection was cut (${code})` : `${messageOf(error)} (${code})`, hungUp)
}

// --- internal ---

const UNREACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'STALLED',
])

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
])

const TRANSIENT = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ConnectionClosed',
])

interface Reason {
  readonly why: string
  readonly retryable?: boolean
  readonly next?: string
}

const UNREACHABLE: Reason = {
  why: 'the host cannot be reached from here',
  retryable: true,
  next: 'check the network, the firewall, and whether a proxy is needed (HTTPS_PROXY)',
}

const WANTS_CERTIFICATE: Reason = {
  why: 'it requires a client certificate',
  next: 'pass one with --client-cert host=cert.pem,key.pem',
}

const NOT_TLS: Reason = {
  why: 'it does not speak TLS on that port',
  next: 'check the port; if it is meant to be reached over plain http, its address has to say http://',
}

const REASONS: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: {
    why: 'the connection was refused',
    retryable: true,
    next: 'check the host and the port, and that the service is running',
  },
  ENOTFOUND: {
    why: 'host name not found (DNS)',
    retryable: true,
    next: 'check the spelling, the DNS server, and whether a proxy is needed (HTTPS_PROXY)',
  },
  EAI_AGAIN: {
    why: 'the DNS server does not answer',
    retryable: true,
    next: 'check the network and the DNS server',
  },
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ETIMEDOUT: { ...UNREACHABLE, why: 'the connection timed out' },
  CERT_HAS_EXPIRED: {
    why: 'its certificate has expired',
    next: 'check the clock of this machine; otherwise the owner of the host has to renew it',
  },
  CERT_NOT_YET_VALID: { why: 'its certificate is not valid yet', next: 'check the clock of this machine' },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    why: 'its certificate is for another host name',
    next: 'use a name that the certificate carries',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
  ERR_SSL_HTTP_REQUEST: NOT_TLS,
  HPE_HEADER_OVERFLOW: { why: 'its answer has too many or too large headers' },
}
