import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { FaultKind, Faults } from './faults.ts'
import { header, json, type Answer, type Call, type Content } from './http.ts'
import { finish, type LogWriter, type Plane } from './log.ts'
import type { ApiAction } from './options.ts'

/** One of the three origins. */
export interface Door {
  readonly plane: Plane
  /** What the request will be counted as, known before its body is read: faults aim at it. */
  route(call: Call): readonly ApiAction[]
  handle(call: Call): Promise<Answer>
  /** The plane's own words for a status that a fault asks for. */
  failure(status: number): Answer
}

export interface ListenerOptions {
  readonly tls?: { readonly key: string; readonly cert: string } | undefined
  readonly host: string
  readonly port: number
  readonly log: LogWriter
  readonly faults: Faults
  readonly latencyMs: number
  readonly now: () => number
}

export interface Listener {
  /** `host:port`. */
  readonly address: string
  stop(): Promise<void>
}

export async function listen(door: Door, options: ListenerOptions): Promise<Listener> {
  const stopped = new AbortController()
  const listener: RequestListener = (request, response) => {
    serve(door, options, stopped.signal, request, response).catch((error: unknown) => {
      // The client is gone, or this server has a bug: either way the connection cannot be trusted any more.
      if (!(error instanceof ConnectionGone)) console.error('ECR double:', error)
      request.socket.destroy()
    })
  }
  const server: Server =
    options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener)
  server.requestTimeout = 0
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    address: `${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    stop: () => {
      stopped.abort()
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

// --- internal ---

class ConnectionGone extends Error {}

async function serve(
  door: Door,
  options: ListenerOptions,
  stopped: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const began = performance.now()
  const method = request.method ?? 'GET'
  const url = new URL(`http://${request.headers.host ?? 'localhost'}${request.url ?? '/'}`)
  const entry = options.log.begin({
    plane: door.plane,
    method,
    path: url.pathname,
    query: url.search.slice(1),
    headers: loggable(request),
  })
  const length = request.headers['content-length']
  const bare: Omit<Call, 'body'> = {
    method,
    url,
    headers: request.headers,
    entry,
    length: length === undefined ? undefined : Number(length),
  }
  const peek: Call = { ...bare, body: nothing() }
  const routed = door.route(peek)
  const fault = options.faults.next({ plane: door.plane, actions: routed, method, path: url.pathname })
  entry.fault = fault?.kind
  if (fault !== undefined) entry.actions = routed
  const uploads = (bare.length ?? (header(peek, 'transfer-encoding') === undefined ? 0 : 1)) > 0
  const call: Call = { ...bare, body: bodyOf(request, entry, uploads ? fault : undefined, stopped) }
  try {
    if (options.latencyMs > 0) await Bun.sleep(options.latencyMs)
    if (fault?.kind === 'close') throw new ConnectionGone()
    if (fault?.kind === 'delay') await Bun.sleep(fault.ms)
    const answer = fault?.kind === 'status' ? scripted(door, fault) : await door.handle(call)
    if (answer.close === true || fault?.kind === 'lose-answer') throw new ConnectionGone()
    entry.status = answer.status
    response.setHeader('date', new Date(options.now()).toUTCString())
    await write(response, method, answer, entry, uploads ? undefined : fault, stopped)
    request.resume()
  } finally {
    finish(entry, performance.now() - began)
  }
}

function scripted(door: Door, fault: FaultKind & { kind: 'status' }): Answer {
  const answer =
    fault.body === undefined ? door.failure(fault.status) : { status: fault.status, body: fault.body }
  return { ...answer, headers: { ...answer.headers, ...fault.headers } }
}

async function* nothing(): AsyncIterable<Uint8Array> {}

async function* bodyOf(
  request: IncomingMessage,
  entry: Call['entry'],
  fault: FaultKind | undefined,
  stopped: AbortSignal,
): AsyncIterable<Uint8Array> {
  const limit =
    fault?.kind === 'reset' || fault?.kind === 'stall' ? fault.afterBytes : Number.POSITIVE_INFINITY
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const room = limit - entry.requestBytes
      const part = chunk.length >= room ? chunk.subarray(0, room) : chunk
      entry.requestBytes += part.length
      if (part.length > 0) yield part
      if (chunk.length < room) continue
      if (fault?.kind === 'stall') await gone(request, stopped)
      throw new ConnectionGone()
    }
  } catch (cause) {
    throw cause instanceof ConnectionGone ? cause : new ConnectionGone('the client went away', { cause })
  }
  if (!request.complete) throw new ConnectionGone('the client went away')
}

async function write(
  response: ServerResponse,
  method: string,
  answer: Answer,
  entry: Call['entry'],
  fault: FaultKind | undefined,
  stopped: AbortSignal,
): Promise<void> {
  const { content, start, end } = sourceOf(answer.body ?? '')
  const size = end - start
  const headers = Object.entries(answer.headers ?? {}).filter(([name]) => name !== 'content-length')
  const said = answer.headers?.['content-length']
  response.writeHead(answer.status, [...headers, ['content-length', said ?? String(size)]].flat())
  if (method === 'HEAD' || size === 0) {
    response.end()
    return
  }
  const limit =
    fault?.kind === 'reset' || fault?.kind === 'stall' ? fault.afterBytes : Number.POSITIVE_INFINITY
  for await (const whole of content.read(start, end)) {
    const room = limit - entry.responseBytes
    let chunk = whole.length >= room ? whole.subarray(0, room) : whole
    if (fault?.kind === 'corrupt') chunk = flipped(chunk, fault.atByte - entry.responseBytes)
    entry.responseBytes += chunk.length
    if (!response.write(chunk)) await drained(response)
    if (whole.length < room) continue
    if (fault?.kind === 'stall') await gone(response, stopped)
    else await Bun.sleep(1)
    throw new ConnectionGone()
  }
  response.end()
}

function sourceOf(body: NonNullable<Answer['body']>): { content: Content; start: number; end: number } {
  if (typeof body === 'object' && 'content' in body) return body
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return { content: { size: bytes.length, read: () => once(bytes) }, start: 0, end: bytes.length }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

function flipped(chunk: Uint8Array, at: number): Uint8Array {
  if (at < 0 || at >= chunk.length) return chunk
  const copy = Uint8Array.from(chunk)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve, reject) => {
    const settle = (act: () => void) => () => {
      response.off('drain', onDrain).off('close', onClose)
      act()
    }
    const onDrain = settle(resolve)
    const onClose = settle(() => reject(new ConnectionGone('the client went away')))
    response.on('drain', onDrain).on('close', onClose)
  })

const gone = (stream: IncomingMessage | ServerResponse, stopped: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    stream.once('close', resolve)
    stopped.addEventListener('abort', () => resolve(), { once: true })
    if (stopped.aborted) resolve()
  })

function loggable(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    const text = Array.isArray(value) ? value.join(', ') : (value ?? '')
    headers[name] = name === 'authorization' ? (text.split(' ', 1)[0] ?? '') : text
  }
  return headers
}

export const failureJson = (status: number, code: string, message: string): Answer =>
  json(status, { errors: [{ code, message }] })
