import type { IncomingHttpHeaders } from 'node:http'
import type { Entry } from './log.ts'

/** One request as the planes see it. */
export interface Call {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly entry: Entry
  /** Declared length of the body in bytes; `undefined` when it is chunked. */
  readonly length: number | undefined
  /** The body as it arrives. Throws when the client goes away in the middle. */
  readonly body: AsyncIterable<Uint8Array>
}

/** Bytes of known size that can be read from the middle: `end` is exclusive. */
export interface Content {
  readonly size: number
  read(start: number, end: number): AsyncIterable<Uint8Array>
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?:
    | string
    | Uint8Array
    | { readonly content: Content; readonly start: number; readonly end: number }
  /** Close the connection without an answer. */
  readonly close?: boolean
}

export const json = (
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  body: JSON.stringify(value),
})

/** @throws RangeError when the body is longer than `limit` bytes */
export async function readAll(call: Call, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of call.body) {
    size += chunk.length
    if (size > limit) throw new RangeError(`a body of more than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export const header = (call: Call, name: string): string | undefined => {
  const value = call.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

export const hasBody = (call: Call): boolean =>
  call.length === undefined ? header(call, 'transfer-encoding') !== undefined : call.length > 0

/** The error envelope of the OCI API. */
export const failure = (status: number, code: string, message: string): Answer =>
  json(status, { errors: [{ code, message }] })
