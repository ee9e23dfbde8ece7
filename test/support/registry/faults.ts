import { gzipSync } from 'node:zlib'
import { failure, type Incoming, type Reply } from './protocol.ts'

/** A script for some of the requests: changes the reply, or replaces it. */
export interface Fault {
  /** Which requests; `GET /v2/…` as `METHOD path` is matched. All, when left out. */
  readonly on?: RegExp
  /** Every nth of them only. */
  readonly every?: number
  /** So many times at most. */
  readonly times?: number
  /** `next` lets the request through to the registry; a fault that does not call it leaves the contents alone. */
  readonly change: (next: () => Reply, request: Incoming) => Reply
}

type Change = Fault['change']

/** Answers with this instead. */
export const answer =
  (reply: Reply): Change =>
  () => ({ ...reply, headers: { ...reply.headers } })

export const tooMany = (headers: Record<string, string> = {}, message = 'Rate exceeded'): Change =>
  answer(failure(429, 'TOOMANYREQUESTS', message, headers))

export const status = (code: number, body = '', headers: Record<string, string> = {}): Change =>
  answer({ status: code, headers, body: Buffer.from(body) })

/** Lets the request through and changes what comes back. */
export const changed =
  (change: (reply: Reply) => Partial<Reply>): Change =>
  (next) => {
    const reply = next()
    return { ...reply, ...change(reply) }
  }

/** The connection is cut before any answer; what was asked for is done. */
export const reset: Change = changed(() => ({ reset: true }))

export const cutAfter = (bytes: number): Change => changed(() => ({ cutAfter: bytes }))

export const stallAfter = (bytes: number): Change => changed(() => ({ stallAfter: bytes }))

export const drip = (dripSize: number, dripMs: number): Change => changed(() => ({ dripSize, dripMs }))

export const endless: Change = changed(() => ({ endless: true }))

/** Same length, other bytes. */
export const corrupt: Change = changed(({ body }) => {
  const other = Buffer.from(body)
  const middle = Math.floor(other.length / 2)
  other[middle] = (other[middle] ?? 0) ^ 1
  return { body: other }
})

export const without = (...names: readonly string[]): Change =>
  changed(({ headers }) => ({
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name))),
  }))

export const withHeaders = (more: Record<string, string>): Change =>
  changed(({ headers }) => ({ headers: { ...headers, ...more } }))

/** Claims the length of the whole and sends only so much. */
export const shortBody = (bytes: number): Change =>
  changed(({ headers, body }) => ({
    headers: { ...headers, 'content-length': String(body.length) },
    body: body.subarray(0, bytes),
  }))

export const hugeHeaders = (bytes: number): Change =>
  withHeaders(
    Object.fromEntries(
      Array.from({ length: Math.ceil(bytes / 4000) }, (_, at) => [`x-huge-${at}`, 'y'.repeat(4000)]),
    ),
  )

/** As a proxy that compresses whatever passes. */
export const gzipped: Change = changed(({ headers, body }) => ({
  headers: { ...headers, 'content-encoding': 'gzip' },
  body: gzipSync(body),
}))

/** Ignores Range, as some servers do. */
export const wholeBody = (whole: Uint8Array): Change => {
  const forget = without('content-range')
  return (next, request) => ({ ...forget(next, request), status: 200, body: Buffer.from(whole) })
}

/** Sends the client to the same path elsewhere. */
export const redirectTo =
  (origin: string, code = 307, query = ''): Change =>
  (_, { path }) => ({
    status: code,
    headers: { location: `${origin}${path}${query}` },
    body: Buffer.alloc(0),
  })

/** Refuses whoever brings credentials, as object stores do with signed URLs. */
export const refuseAuthorization: Change = (next, { headers }) =>
  headers['authorization'] === undefined
    ? next()
    : {
        status: 400,
        headers: { 'content-type': 'application/xml' },
        body: Buffer.from(
          '<?xml version="1.0"?><Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>',
        ),
      }
