import { readFileSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { RawManifest } from '../../../src/oci/content.ts'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import type { TestCertificate } from '../certificates.ts'
import { createGuard, type Access } from './access.ts'
import type { Fault } from './faults.ts'
import {
  createContents,
  respond,
  sha256,
  within,
  type Contents,
  type Incoming,
  type ProtocolOptions,
  type Reply,
} from './protocol.ts'

export interface DoubleOptions extends ProtocolOptions {
  readonly access?: Access
  readonly faults?: readonly Fault[]
  /** Speaks TLS; with `clientCa`, only with those who show a certificate of that CA. */
  readonly tls?: TestCertificate & { readonly clientCa?: string }
  /** Address to listen on; 127.0.0.1 by default. */
  readonly address?: string
}

/** An in-process registry that speaks the real protocol over a real socket, and misbehaves as told. */
export interface RegistryDouble {
  /** `127.0.0.1:port`, or `localhost:port` with TLS. */
  readonly host: string
  readonly origin: string
  readonly contents: Contents
  /** All requests that arrived, in order. */
  readonly requests: readonly Incoming[]
  /** Connections that were opened. */
  readonly connections: () => number
  /** `METHOD /path?query` of the requests so far, then forgets them. */
  take(): string[]
  addFault(fault: Fault): void
  clearFaults(): void
  expireTokens(): void
  addBlob(repository: string, content: Uint8Array, mediaType?: string): Descriptor
  /** Under its digest, and under `tag` when given. */
  addManifest(repository: string, value: unknown, tag?: string, mediaType?: string): RawManifest
  stop(): Promise<void>
}

export async function startDouble(options: DoubleOptions = {}): Promise<RegistryDouble> {
  const contents = createContents()
  const guard = createGuard(options.access ?? { kind: 'open' })
  const requests: Incoming[] = []
  const sockets = new Set<Socket>()
  const faults = new Map<Fault, { seen: number; done: number }>()
  const addFault = (fault: Fault): void => void faults.set(fault, { seen: 0, done: 0 })
  options.faults?.forEach(addFault)
  let taken = 0
  let connections = 0
  let origin = ''

  const respondTo = (request: Incoming): Reply => {
    let next = (): Reply => guard.check(request, origin) ?? respond(request, contents, options)
    for (const [fault, count] of faults) {
      if (fault.on !== undefined && !fault.on.test(`${request.method} ${request.url}`)) continue
      count.seen += 1
      if (count.seen % (fault.every ?? 1) !== 0 || count.done >= (fault.times ?? Infinity)) continue
      count.done += 1
      const inner = next
      next = () => fault.change(inner, request)
    }
    return next()
  }
  const handle = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await read(message)
    requests.push(request)
    await send(respondTo(request), request.method === 'HEAD', response)
  }
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    // A client that goes away in the middle is part of the play.
    handle(message, response).catch(() => response.destroy())
  }
  const server =
    options.tls === undefined ? http.createServer(listener) : https.createServer(tlsOf(options.tls), listener)
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', () => {
    connections += 1
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  const address = options.address ?? '127.0.0.1'
  await new Promise<void>((resolve) => {
    server.listen(0, address, resolve)
  })
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const host = `${options.tls === undefined || options.address !== undefined ? address : 'localhost'}:${port}`
  origin = `${options.tls === undefined ? 'http' : 'https'}://${host}`

  return {
    host,
    origin,
    contents,
    requests,
    connections: () => connections,
    take() {
      const fresh = requests.slice(taken).map(({ method, url }) => `${method} ${url}`)
      taken = requests.length
      return fresh
    },
    addFault,
    clearFaults: () => faults.clear(),
    expireTokens: () => guard.expireTokens(),
    addBlob(repository, content, mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip') {
      const digest = sha256(content) as Digest
      within(contents.blobs, repository).set(digest, Buffer.from(content))
      return { mediaType, digest, size: content.length }
    },
    addManifest(repository, value, tag, mediaType) {
      const raw = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(JSON.stringify(value))
      const own = mediaType ?? (JSON.parse(raw.toString()) as { mediaType: string }).mediaType
      const digest = sha256(raw) as Digest
      within(contents.manifests, repository).set(digest, { mediaType: own, raw })
      if (tag !== undefined) within(contents.manifests, repository).set(tag, { mediaType: own, raw })
      return { descriptor: { mediaType: own, digest, size: raw.length }, raw }
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

// --- internal ---

const tlsOf = ({ certFile, keyFile, clientCa }: NonNullable<DoubleOptions['tls']>) => ({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
  ...(clientCa === undefined
    ? {}
    : { ca: readFileSync(clientCa), requestCert: true, rejectUnauthorized: true }),
})

async function read(message: IncomingMessage): Promise<Incoming> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  const url = message.url ?? '/'
  const parsed = new URL(url, 'http://double')
  const headers = Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : value,
    ]),
  )
  return {
    method: message.method ?? '',
    url,
    path: parsed.pathname,
    query: parsed.searchParams,
    headers,
    body: Buffer.concat(chunks),
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function send(reply: Reply, head: boolean, response: ServerResponse): Promise<void> {
  await reply.after
  if (reply.reset === true) {
    response.destroy()
    return
  }
  const length = reply.endless === true ? {} : { 'content-length': String(reply.body.length) }
  response.writeHead(reply.status, { ...length, ...reply.headers })
  if (head) {
    response.end()
    return
  }
  const claimed = Number(reply.headers['content-length'] ?? reply.body.length)
  const limit = Math.min(reply.cutAfter ?? Infinity, reply.stallAfter ?? Infinity, reply.body.length)
  const step = reply.dripSize ?? Math.max(limit, 1)
  for (let at = 0; at < limit && !response.destroyed; at += step) {
    response.write(reply.body.subarray(at, Math.min(at + step, limit)))
    if (reply.dripMs !== undefined) await pause(reply.dripMs)
  }
  if (limit === 0) response.flushHeaders()
  while (reply.endless === true && !response.destroyed) {
    response.write(Buffer.alloc(64 * 1024))
    await pause(1)
  }
  if (reply.stallAfter !== undefined) return
  if (reply.cutAfter !== undefined || claimed > reply.body.length) {
    await pause(20)
    response.destroy()
    return
  }
  response.end()
}
