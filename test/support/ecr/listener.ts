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
import { hasBody, type Answer, type Call } from './http.ts'
import { finish, type LogWriter, type Plane } from './log.ts'
import type { ApiAction } from './options.ts'
import { ConnectionGone, receive, send } from './wire.ts'

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
    // A body that is left half-read takes `request.socket` away.
    const { socket } = request
    serve(door, options, stopped.signal, request, response).catch((error: unknown) => {
      socket.destroy()
      if (!(error instanceof ConnectionGone)) options.log.fail(error)
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

async function serve(
  door: Door,
  options: ListenerOptions,
  stopped: AbortSignal,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const began = performance.now()
  const method = request.method ?? 'GET'
  const url = URL.parse(`http://${request.headers.host ?? 'localhost'}${request.url ?? '/'}`)
  if (url === null) {
    response.writeHead(400, { 'content-length': '0', connection: 'close' }).end()
    return
  }
  const { plane } = door
  const path = url.pathname
  const entry = options.log.begin({ plane, method, path, query: url.search.slice(1), headers: seen(request) })
  const said = request.headers['content-length']
  const length = said === undefined ? undefined : Number(said)
  const peek: Call = { method, url, headers: request.headers, entry, length, body: nothing() }
  const routed = door.route(peek)
  const fault = options.faults.next({ plane, actions: routed, method, path })
  if (fault !== undefined) {
    entry.fault = fault.kind
    entry.actions = routed
  }
  const up = hasBody(peek)
  const call: Call = {
    ...peek,
    body: receive(request, { entry, stopped, fault: up ? fault : undefined }),
  }
  try {
    if (options.latencyMs > 0) await Bun.sleep(options.latencyMs)
    if (fault?.kind === 'delay') await Bun.sleep(fault.ms)
    if (fault?.kind === 'close') throw new ConnectionGone('scripted close')
    const answer = fault?.kind === 'status' ? scripted(door, fault) : await answerOf(door, call)
    if (answer.close === true || fault?.kind === 'lose-answer') throw new ConnectionGone('no answer')
    entry.status = answer.status
    response.setHeader('date', new Date(options.now()).toUTCString())
    await send(response, method, answer, { entry, stopped, fault: up ? undefined : fault })
    request.resume()
  } finally {
    finish(entry, performance.now() - began)
  }
}

/** A bug in the double must not look like a network failure. */
async function answerOf(door: Door, call: Call): Promise<Answer> {
  try {
    return await door.handle(call)
  } catch (error) {
    if (error instanceof ConnectionGone) throw error
    call.entry.error = error
    return door.failure(500)
  }
}

function scripted(door: Door, fault: FaultKind & { kind: 'status' }): Answer {
  const answer =
    fault.body === undefined ? door.failure(fault.status) : { status: fault.status, body: fault.body }
  return { ...answer, headers: { ...answer.headers, ...fault.headers } }
}

async function* nothing(): AsyncIterable<Uint8Array> {}

function seen(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    const text = Array.isArray(value) ? value.join(', ') : (value ?? '')
    headers[name] = name === 'authorization' ? (text.split(' ', 1)[0] ?? '') : SECRET.has(name) ? '' : text
  }
  return headers
}

const SECRET = new Set(['x-amz-security-token', 'cookie'])
