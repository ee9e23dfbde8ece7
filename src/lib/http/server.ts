import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { littered } from '../bytes/buffers.ts'
import type { Bytes } from '../bytes/bytes.ts'
import { codeOf, messageOf, usageError } from '../errors.ts'

export interface ServedRequest {
  readonly method: string
  /** Decoded. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

export interface ServedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  /** Exactly as long as `content-length` says. Not read for HEAD. */
  readonly body?: Bytes
}

export interface HttpServerOptions {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string }
  readonly answer: (request: ServedRequest) => Promise<ServedAnswer>
  /** A body failed on its way: the client sees the connection end early. */
  readonly onCut: (request: ServedRequest, error: unknown) => void
}

export interface HttpServer {
  readonly host: string
  readonly port: number
  /** Ends every connection. */
  close(): Promise<void>
}

/**
 * Listens until closed. A body is written as fast as the client reads it. One that fails ends the connection before the
 * promised length, so that no client takes it for whole.
 * @throws a usage error when the address cannot be bound
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, tls } = options
  const listener: RequestListener = (incoming, response) => {
    void respond(incoming, response, options)
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  let open = 0
  server.on('connection', (socket: Socket) => {
    open += 1
    socket.on('close', () => (open -= 1))
    if (open > MOST_CONNECTIONS) socket.destroy()
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    const code = codeOf(error)
    throw usageError(`cannot listen on ${host}:${port}: ${WHY[code ?? ''] ?? code ?? messageOf(error)}`, {
      next: 'name another address with --listen; port 0 takes one that is free',
      cause: error,
    })
  }
  const address = server.address()
  return {
    host,
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

// --- internal ---

/** A piece, and the copies of it that a socket makes. */
const COPIES = 4
/** What each may hold of a body is what bounds the memory. */
const MOST_CONNECTIONS = 1024
/** A client that takes nothing for so long gives its place to others; it may come back with a range. */
const IDLE_MS = 5 * 60_000

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'no permission for that port',
}

async function respond(
  incoming: IncomingMessage,
  response: ServerResponse,
  { answer, onCut }: HttpServerOptions,
): Promise<void> {
  const request = requestOf(incoming)
  try {
    const { status, headers, body } = await answer(request)
    response.writeHead(status, headers)
    if (request.method !== 'HEAD' && body !== undefined) {
      response.flushHeaders()
      if (!(await send(body, response))) return
    }
    response.end()
  } catch (error) {
    onCut(request, error)
    response.destroy()
  }
}

/** False when the client went away, which is its right. */
async function send(body: Bytes, response: ServerResponse): Promise<boolean> {
  let wake = (): void => undefined
  response.on('drain', () => wake())
  response.on('close', () => wake())
  for await (const chunk of body) {
    if (response.destroyed) return false
    littered(chunk.length * COPIES)
    if (response.write(chunk)) continue
    const idle = setTimeout(() => response.destroy(), IDLE_MS)
    await new Promise<void>((resolve) => {
      wake = resolve
      if (response.destroyed || !response.writableNeedDrain) resolve()
    })
    clearTimeout(idle)
  }
  return !response.destroyed
}

function requestOf({ method = 'GET', url = '/', headers }: IncomingMessage): ServedRequest {
  const mark = url.indexOf('?')
  return {
    method,
    path: decoded(mark < 0 ? url : url.slice(0, mark)),
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    ),
  }
}

/** As it came, when it is no valid encoding: it then names nothing. */
const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (error instanceof URIError) return path
    throw error
  }
}
