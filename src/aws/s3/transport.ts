import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { Readable } from 'node:stream'
import { collect, type Bytes } from '../../lib/bytes/bytes.ts'
import type { Http, HttpRequest } from '../../lib/http/client.ts'

/** What the SDK asks its transport to send. */
interface SdkRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Told the region that S3 says the bucket is in, when it refuses a request. */
export type OnRegion = (region: string) => void

/**
 * Lets the SDK sign and understand, and our own http carry: so proxies, CAs, stalls and cut connections are the same
 * as everywhere, and bodies stream at the pace of their consumer.
 */
export function transportOver(
  http: Http,
  onRegion: OnRegion,
): Pick<S3ClientConfig, 'requestHandler' | 'streamCollector'> {
  return {
    requestHandler: {
      metadata: { handlerProtocol: 'http/1.1' },
      async handle(request: SdkRequest, { abortSignal }: { abortSignal?: unknown } = {}) {
        const { status, headers, body } = await http(toHttp(request, abortSignal))
        const region = headers.get('x-amz-bucket-region')
        if (status >= 300 && region !== null) onRegion(region)
        return { response: { statusCode: status, headers: Object.fromEntries(headers), body: shell(body) } }
      },
    },
    streamCollector: (body: Bytes) => collect(body),
  }
}

// --- internal ---

/** The SDK takes nothing but a Readable for a body. Whoever iterates over this one reads the body itself. */
const shell = (body: Bytes): Readable =>
  Object.assign(new Readable({ read: () => undefined }), {
    [Symbol.asyncIterator]: () => body[Symbol.asyncIterator](),
  })

function toHttp(request: SdkRequest, abortSignal: unknown): HttpRequest {
  const { 'content-length': length, ...headers } = request.headers
  const body = bodyOf(request.body, Number(length))
  return {
    method: request.method,
    url: urlOf(request),
    headers,
    ...(body === undefined ? {} : { body }),
    ...(abortSignal instanceof AbortSignal ? { signal: abortSignal } : {}),
  }
}

function bodyOf(body: unknown, size: number): HttpRequest['body'] {
  if (body === undefined || body === null) return undefined
  if (typeof body === 'string') return new TextEncoder().encode(body)
  if (body instanceof Uint8Array) return body
  if (body instanceof Readable) return { size, open: () => Promise.resolve(body as Bytes) }
  throw new TypeError('the SDK sends a body of a kind that was never given to it')
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) =>
      one === null ? escaped(name) : `${escaped(name)}=${escaped(one)}`,
    ),
  )
  const host = port === undefined ? hostname : `${hostname}:${port}`
  return `${protocol}//${host}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
}

/** As SigV4 counts characters; `encodeURIComponent` leaves some that it does not. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
