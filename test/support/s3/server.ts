import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { ACTIONS, actionOf, type Answer, type Rules } from './actions.ts'
import { Gone, S3Failure } from './failure.ts'
import { createS3Faults, type S3FaultKind, type S3Faults } from './faults.ts'
import { receive } from './receive.ts'
import { checkSignature, EXAMPLE, type S3Key } from './signature.ts'
import { createBucket, putObject, type Bucket, type S3Object, type Stored } from './store.ts'

export interface S3Options extends Partial<Rules> {
  /** Name to region. */
  readonly buckets?: Readonly<Record<string, string>>
  readonly keys?: readonly S3Key[]
  /** `body`: only there does a refusal name the region of the bucket. */
  readonly namesRegion?: 'header' | 'body'
  /** Actions that IAM denies, as in `s3:PutObject`. */
  readonly denied?: readonly string[]
  readonly latencyMs?: number
  /** What each connection waits for behind every 64 KiB, as if it had a line of its own. */
  readonly paceMs?: number
  readonly clockSkewSeconds?: number
  readonly tls?: { readonly key: string; readonly cert: string }
}

/** One request and what became of it. */
export interface S3Entry {
  readonly action: string
  readonly key: string
  readonly query: string
  readonly range: string
  /** Milliseconds since the server started, and when it was over. */
  readonly at: number
  doneAt: number | undefined
  /** 0 while it runs, and when there was no answer. */
  status: number
  requestBytes: number
  responseBytes: number
}

export interface S3Double {
  readonly endpoint: string
  /** What a child process needs in its environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly log: S3Entry[]
  readonly faults: S3Faults
  /** Bugs of the double itself. */
  readonly errors: unknown[]
  bucket(name: string): Bucket
  put(bucket: string, key: string, content: Uint8Array | Stored, more?: Partial<S3Object>): S3Object
  read(bucket: string, key: string): Promise<Uint8Array>
  count(action: string): number
  /** Requests of an action that ran at the same time. */
  atOnce(action: string): number
  stop(): Promise<void>
}

/** S3 on a free port of loopback. */
export async function startS3(options: S3Options = {}): Promise<S3Double> {
  const { buckets = { bundles: 'eu-central-1' }, keys = [EXAMPLE], denied = [], latencyMs = 0 } = options
  const rules: Rules = {
    minPart: 5 * 1024 ** 2,
    pageSize: 1000,
    checksums: true,
    keep: true,
    requireKms: false,
    versioned: false,
    ...options,
  }
  const all = new Map(Object.entries(buckets).map(([name, region]) => [name, createBucket(name, region)]))
  const log: S3Entry[] = []
  const errors: unknown[] = []
  const faults = createS3Faults()
  const stopped = new AbortController()
  const began = performance.now()
  const now = (): number => Date.now() + (options.clockSkewSeconds ?? 0) * 1000

  const handle = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(message.url ?? '/', 'http://localhost')
    const [, name = '', ...rest] = url.pathname.split('/')
    const key = decodeURIComponent(rest.join('/'))
    const action = actionOf(message.method ?? '', key, url.searchParams)
    const entry: S3Entry = {
      action: action ?? 'unknown',
      key,
      query: url.search,
      range: message.headers.range ?? '',
      at: performance.now() - began,
      doneAt: undefined,
      status: 0,
      requestBytes: 0,
      responseBytes: 0,
    }
    log.push(entry)
    const fault = action === undefined ? undefined : faults.next(action, key)
    try {
      const answer = await answerTo()
      if (fault?.kind === 'lose-answer') throw new Gone('scripted')
      entry.status = answer.status
      response.setHeader('date', new Date(now()).toUTCString())
      await send(response, message.method ?? '', answer, fault, entry, stopped.signal, options.paceMs)
    } finally {
      entry.doneAt = performance.now() - began
    }

    async function answerTo(): Promise<Answer> {
      try {
        if (latencyMs > 0) await Bun.sleep(latencyMs)
        if (fault?.kind === 'delay') await Bun.sleep(fault.ms)
        if (action === undefined)
          throw new S3Failure(
            405,
            'MethodNotAllowed',
            'The specified method is not allowed against this resource.',
          )
        const bucket = all.get(name)
        if (fault?.kind === 'answer')
          throw new S3Failure(fault.status, fault.code, fault.message ?? fault.code)
        if (bucket === undefined)
          throw new S3Failure(
            404,
            'NoSuchBucket',
            'The specified bucket does not exist',
            {},
            `<BucketName>${name}</BucketName>`,
          )
        const payload = checkSignature(message, {
          keys,
          region: bucket.region,
          now,
          namesRegion: options.namesRegion ?? 'header',
        })
        if (denied.includes(`s3:${action}`)) {
          throw new S3Failure(
            403,
            'AccessDenied',
            `User: arn:aws:iam::123456789012:user/ma-bundle is not authorized to perform: s3:${action} on resource: "arn:aws:s3:::${name}/${key}" because no identity-based policy allows the s3:${action} action`,
          )
        }
        const body = () =>
          receive(message, {
            payload,
            keep: rules.keep || action !== 'UploadPart',
            fault,
            counted: (bytes) => (entry.requestBytes += bytes),
            stopped: stopped.signal,
          })
        const run = ACTIONS[action]
        if (run === undefined) throw new Error(`no such action: ${action}`)
        return await run({ action, bucket, key, query: url.searchParams, message, body }, rules)
      } catch (error) {
        if (error instanceof Gone) throw error
        if (!(error instanceof S3Failure)) {
          errors.push(error)
          throw new Gone('a bug in the double')
        }
        message.resume()
        return {
          status: error.status,
          headers: { 'content-type': 'application/xml', ...error.headers },
          ...(message.method === 'HEAD' ? {} : { body: error.xml }),
        }
      }
    }
  }
  const listener: RequestListener = (message, response) => {
    const { socket } = message
    handle(message, response).catch((error: unknown) => {
      socket.destroy()
      if (!(error instanceof Gone)) errors.push(error)
    })
  }
  const server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener)
  server.requestTimeout = 0
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const endpoint = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const [key = EXAMPLE] = keys
  const bucket = (name: string): Bucket => {
    const found = all.get(name)
    if (found === undefined) throw new Error(`no bucket ${name} in the double`)
    return found
  }
  return {
    endpoint,
    environment: {
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
      ...(key.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: key.sessionToken }),
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL_S3: endpoint,
    },
    log,
    faults,
    errors,
    bucket,
    put: (name, objectKey, content, more) => putObject(bucket(name), objectKey, content, more),
    async read(name, objectKey) {
      const object = bucket(name).objects.get(objectKey)
      if (object === undefined) throw new Error(`no object ${objectKey} in the double`)
      const pieces: Uint8Array[] = []
      for await (const piece of object.read(0, object.size)) pieces.push(piece)
      return Buffer.concat(pieces)
    },
    count: (action) => log.filter((entry) => entry.action === action).length,
    atOnce(action) {
      const moments = log
        .filter((entry) => entry.action === action)
        .flatMap(({ at, doneAt = Infinity }) => [
          { at, step: 1 },
          { at: doneAt, step: -1 },
        ])
        .toSorted((a, b) => a.at - b.at)
      let running = 0
      return moments.reduce((most, { step }) => Math.max(most, (running += step)), 0)
    },
    stop() {
      stopped.abort()
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

// --- internal ---

async function send(
  response: ServerResponse,
  method: string,
  { status, headers = {}, body }: Answer,
  fault: S3FaultKind | undefined,
  entry: S3Entry,
  stopped: AbortSignal,
  paceMs = 0,
): Promise<void> {
  const text = typeof body === 'string' ? Buffer.from(body) : undefined
  const length = text?.length ?? (typeof body === 'object' ? body.end - body.start : 0)
  response.writeHead(status, method === 'HEAD' ? headers : { ...headers, 'content-length': String(length) })
  if (method === 'HEAD' || body === undefined || text !== undefined) {
    entry.responseBytes += text?.length ?? 0
    response.end(text)
    return
  }
  if (typeof body === 'string') return
  for await (const piece of body.content.read(body.start, body.end)) {
    for (let at = 0; at < piece.length; at += PIECE) {
      const chunk = Buffer.from(piece.subarray(at, at + PIECE))
      const before = entry.responseBytes
      if (fault?.kind === 'corrupt' && before <= fault.atByte && fault.atByte < before + chunk.length) {
        const bad = fault.atByte - before
        chunk[bad] = (chunk[bad] ?? 0) ^ 1
      }
      if (fault?.kind === 'reset' && before + chunk.length > fault.afterBytes) {
        await written(response, chunk.subarray(0, Math.max(0, fault.afterBytes - before)))
        throw new Gone('scripted reset')
      }
      if (fault?.kind === 'stall' && before + chunk.length > fault.afterBytes) {
        await new Promise<void>((resolve) => stopped.addEventListener('abort', () => resolve()))
        throw new Gone('stopped')
      }
      await written(response, chunk)
      entry.responseBytes += chunk.length
      if (paceMs > 0) await Bun.sleep(paceMs)
    }
  }
  response.end()
}

const PIECE = 64 * 1024

function written(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) {
      reject(new Gone('the client went away'))
      return
    }
    const closed = (): void => reject(new Gone('the client went away'))
    response.once('close', closed)
    response.write(chunk, (error) => {
      response.off('close', closed)
      if (error === undefined || error === null) resolve()
      else reject(new Gone(error.message))
    })
  })
}
