import type { ECRClientConfig } from '@aws-sdk/client-ecr'
import { Readable } from 'node:stream'
import { createHttp, type Http, type HttpRequest } from '../lib/http/client.ts'
import { collect, type Bytes } from '../lib/bytes/bytes.ts'
import { HttpError } from '../lib/http/error.ts'
import { caFilesOf, type AwsConfig } from './config/config.ts'

/** How the SDK connects. */
export type RequestHandler = NonNullable<ECRClientConfig['requestHandler']>

/** Where the last call went, for the person who reads about its failure. */
export interface LastCall {
  /** Host of the API. */
  readonly host: string
  /** What was called, as IAM names it: `sts:AssumeRole`; undefined for what is no call of AWS. */
  readonly action: string | undefined
  /** What http threw in place of an answer. */
  readonly failure: unknown
}

/** What the SDK asks its transport to send. */
export interface SdkRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Our own http for the calls of one side: proxies, CAs, stalls and cut connections are the same as everywhere. */
export const awsHttp = (config: AwsConfig, caFiles: readonly string[] = []): Http =>
  createHttp({
    env: config.env,
    caFiles: caFilesOf(config, caFiles),
    stallSeconds: STALL_SECONDS,
  })

/** Lets the SDK sign and understand, and our own http carry. Answers of its APIs are small and come whole. */
export function sdkTransport(http: Http, onCall?: (call: LastCall) => void): RequestHandler {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: SdkRequest, { abortSignal }: { abortSignal?: unknown } = {}) {
      const call = { host: hostOf(request), action: actionOf(request) }
      onCall?.({ ...call, failure: undefined })
      try {
        const { status, headers, body } = await http(toHttp(request, abortSignal))
        const content = await collect(body)
        return { response: { statusCode: status, headers: Object.fromEntries(headers), body: content } }
      } catch (failure) {
        onCall?.({ ...call, failure })
        // The mark by which the SDK knows what to try again.
        throw failure instanceof HttpError && failure.retryable
          ? Object.assign(failure, { $retryable: { throttling: false } })
          : failure
      }
    },
  } as RequestHandler
}

export function toHttp(request: SdkRequest, abortSignal: unknown): HttpRequest {
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

// --- internal ---

/** Without a byte in either direction. The longest silence is that of CompleteLayerUpload over a layer of many GB. */
const STALL_SECONDS = 180

const hostOf = ({ hostname, port }: SdkRequest): string =>
  port === undefined ? hostname : `${hostname}:${port}`

/** STS names it in its form, SSO by its path; for all others the caller names it. */
function actionOf({ path, body }: SdkRequest): string | undefined {
  const form = typeof body === 'string' ? /(?:^|&)Action=(\w+)/.exec(body)?.[1] : undefined
  if (form !== undefined) return `sts:${form}`
  if (path === '/federation/credentials') return 'sso:GetRoleCredentials'
  return path === '/token' ? 'sso-oidc:CreateToken' : undefined
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
