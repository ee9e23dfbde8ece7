import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { digestOf, type Digest } from '../../src/oci/digest.ts'

/** What was asked of a blob. */
export interface BlobRequest {
  readonly digest: string
  /** Where the answer began, and how many bytes of it went onto the wire. */
  readonly start: number
  sent: number
}

/** A registry of one image per tag whose blobs come no faster than told, and which counts what it sends. */
export interface MeteredSource {
  readonly host: string
  readonly blobs: readonly BlobRequest[]
  /** Bytes of blobs, sent by now. */
  readonly sent: () => number
  stop(): Promise<void>
}

const PIECE = 1024 * 1024

/** @param images layers by tag; `bytesPerSecond` is for all connections together */
export async function startMetered(
  images: Readonly<Record<string, readonly Uint8Array[]>>,
  bytesPerSecond: number,
): Promise<MeteredSource> {
  const requests: BlobRequest[] = []
  const blobs = new Map<Digest, Uint8Array>()
  const manifests = new Map<string, Uint8Array>()
  for (const [tag, layers] of Object.entries(images)) {
    const config = new TextEncoder().encode(
      JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } }),
    )
    const described = (content: Uint8Array, mediaType: string) => {
      const digest = digestOf(content)
      blobs.set(digest, content)
      return { mediaType, digest, size: content.length }
    }
    const raw = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST,
        config: described(config, 'application/vnd.oci.image.config.v1+json'),
        layers: layers.map((layer) => described(layer, 'application/vnd.oci.image.layer.v1.tar')),
      }),
    )
    manifests.set(tag, raw).set(digestOf(raw), raw)
  }
  let due = performance.now()
  /** Waits until the line is free for so many bytes. */
  const turn = async (bytes: number): Promise<void> => {
    due = Math.max(due, performance.now()) + (bytes / bytesPerSecond) * 1000
    await Bun.sleep(due - performance.now())
  }
  const sendBlob = async (
    digest: string,
    content: Uint8Array,
    start: number,
    end: number,
    response: ServerResponse,
  ): Promise<void> => {
    const request: BlobRequest = { digest, start, sent: 0 }
    requests.push(request)
    const closed = once(response, 'close')
    for (let at = start; at < end && !response.destroyed; at += PIECE) {
      const piece = content.subarray(at, Math.min(at + PIECE, end))
      await turn(piece.length)
      request.sent += piece.length
      if (!response.write(piece)) await Promise.race([drained(response), closed])
    }
    response.end()
  }
  const server = createServer((request, response) => {
    const name = (request.url ?? '').split('?')[0]?.split('/').at(-1) ?? ''
    const manifest = manifests.get(name)
    const content = blobs.get(name as Digest)
    if (manifest !== undefined) {
      const headers = { 'content-type': MANIFEST, 'docker-content-digest': digestOf(manifest) }
      response.writeHead(200, { ...headers, 'content-length': manifest.length })
      response.end(request.method === 'HEAD' ? undefined : manifest)
    } else if (content !== undefined) {
      const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
      const start = Number(asked?.[1] ?? 0)
      const end = asked?.[2] ? Number(asked[2]) + 1 : content.length
      const range = `bytes ${start}-${end - 1}/${content.length}`
      response.writeHead(asked === null ? 200 : 206, {
        'content-length': end - start,
        ...(asked === null ? {} : { 'content-range': range }),
      })
      void sendBlob(name, content, start, end, response)
    } else response.writeHead(name === '' ? 200 : 404).end('{}')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    blobs: requests,
    sent: () => requests.reduce((sum, { sent }) => sum + sent, 0),
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped())
        server.closeAllConnections()
      }),
  }
}

const drained = (response: ServerResponse): Promise<unknown> => once(response, 'drain')

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
