import {
  createSecureContext,
  getCACertificates,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls'
import { usageError } from '../errors.ts'
import type { Env } from './proxy.ts'
import { shownPath } from '../shown-path.ts'
import { readSmallSync, whyUnreadable } from '../bytes/small-file.ts'

/** What a host that wants mutual TLS is shown. Both are PEM files; `keyFile` may be the same file. */
export interface ClientCertificate {
  readonly certFile: string
  readonly keyFile: string
}

/** The TLS context for a host, with its port when it is not 443. */
export type Trust = (host: string) => SecureContext

export interface TrustOptions {
  readonly env?: Env
  /** PEM files of further CAs to trust. */
  readonly caFiles?: readonly string[]
  /** By host, with the port when it is not 443. */
  readonly clientCertificates?: Readonly<Record<string, ClientCertificate>>
}

/**
 * Who is trusted: Mozilla's list, the system's store, `SSL_CERT_FILE`, `NODE_EXTRA_CA_CERTS` and the given files, all
 * together: a company's CA is an addition, the public ones stay. Contexts are made once per host that has a client
 * certificate, once for all others, because loading some 300 certificates for each connection is felt.
 * @returns the TLS context for a host (with port)
 * @throws a usage error for a file that cannot be read or is not PEM
 */
export function createTrust(options: TrustOptions): Trust {
  const named = [
    options.env?.['SSL_CERT_FILE'],
    options.env?.['NODE_EXTRA_CA_CERTS'],
    ...(options.caFiles ?? []),
  ]
  const extra = named
    .filter((file) => file !== undefined && file !== '')
    .map((file) => readPem(file ?? '', 'CERTIFICATE'))
  const own = new Map(
    Object.entries(options.clientCertificates ?? {}).map(([host, { certFile, keyFile }]) => [
      host.toLowerCase(),
      { cert: readPem(certFile, 'CERTIFICATE'), key: readPem(keyFile, 'PRIVATE KEY') },
    ]),
  )
  const contexts = new Map<string, SecureContext>()
  return (host) => {
    const key = [host, host.replace(/:443$/, '')].find((name) => own.has(name)) ?? ''
    let context = contexts.get(key)
    if (context === undefined) {
      const ca = [...new Set([...rootCertificates, ...getCACertificates('system'), ...extra])]
      context = contextOf({ ca, ...own.get(key) }, key)
      contexts.set(key, context)
    }
    return context
  }
}

// --- internal ---

/** The bundle of a whole system has some 300 KB. */
const PEM_LIMIT = 16 * 1024 * 1024

function readPem(file: string, what: string): string {
  let text: string
  try {
    text = readSmallSync(file, PEM_LIMIT).toString('utf8')
  } catch (error) {
    throw usageError(`cannot read the certificate file ${shownPath(file)}: ${whyUnreadable(error)}`, {
      cause: error,
    })
  }
  if (text.includes(`${what}-----`)) return text
  throw usageError(`${shownPath(file)} holds no PEM ${what.toLowerCase()}`, {
    next: `it has to contain "-----BEGIN ${what}-----"; convert DER files with: openssl x509 -inform der -in <file>`,
  })
}

function contextOf(options: SecureContextOptions, host: string): SecureContext {
  try {
    return createSecureContext(options)
  } catch (error) {
    const whose = host === '' ? 'the CA files' : `the client certificate and key for ${host}`
    throw usageError(`cannot use ${whose}: ${error instanceof Error ? error.message : ''}`, { cause: error })
  }
}
