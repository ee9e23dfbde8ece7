import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chartIndex, type PackedChart } from './charts.ts'
import type { BuiltImage } from './images.ts'

export interface SourceOptions {
  /** `repository:tag` to image, index or chart artifact. */
  readonly images: Readonly<Record<string, BuiltImage>>
  /** Served as a chart repository at `/charts`. */
  readonly charts?: readonly PackedChart[]
  /** Answers instead, when it says so: for servers that are broken in some way. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** A read-only registry and chart repository in this process, on a free port of loopback, open to everybody. */
export interface EmbeddedSource {
  /** `127.0.0.1:port` */
  readonly host: string
  /** `GET /v2/…` of every request, in order. */
  readonly requests: readonly string[]
  /** From now on the tag stands for another image. */
  replace(name: string, image: BuiltImage): void
  stop(): Promise<void>
}

export async function startSource(options: SourceOptions): Promise<EmbeddedSource> {
  const answers = contentOf(options)
  const requests: string[] = []
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    requests.push(`${request.method} ${path}`)
    if (options.intercept?.(request, response) === true) return
    serve(request, response, answers.get(path))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    requests,
    replace: (name, image) => {
      for (const [path, content] of contentOf({ images: { [name]: image } }))
        if (path.startsWith('/v2/')) answers.set(path, content)
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

// --- internal ---

interface Content {
  readonly type: string
  readonly bytes: Uint8Array
  readonly digest?: string
}

function contentOf({ images, charts = [] }: SourceOptions): Map<string, Content> {
  const answers = new Map<string, Content>([['/v2/', json({})]])
  for (const [name, image] of Object.entries(images)) {
    const colon = name.lastIndexOf(':')
    const base = `/v2/${name.slice(0, colon)}`
    const add = ({ mediaType, raw, digest, blobs, children }: BuiltImage): Content => {
      const manifest = { type: mediaType, bytes: raw, digest }
      answers.set(`${base}/manifests/${digest}`, manifest)
      for (const [blob, bytes] of blobs) {
        answers.set(`${base}/blobs/${blob}`, { type: 'application/octet-stream', bytes, digest: blob })
      }
      for (const child of children) add(child)
      return manifest
    }
    answers.set(`${base}/manifests/${name.slice(colon + 1)}`, add(image))
  }
  answers.set('/charts/index.yaml', {
    type: 'text/yaml',
    bytes: new TextEncoder().encode(chartIndex(charts)),
  })
  for (const { name, version, tgz } of charts) {
    answers.set(`/charts/${name}-${version}.tgz`, { type: 'application/gzip', bytes: tgz })
  }
  return answers
}

function serve(request: IncomingMessage, response: ServerResponse, content?: Content): void {
  if (content === undefined) {
    const code = request.url?.includes('/blobs/') === true ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN'
    const { type, bytes } = json({ errors: [{ code, message: 'not in this registry' }] })
    response.writeHead(404, { 'content-type': type }).end(bytes)
    return
  }
  const { type, bytes, digest } = content
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const start = Number(range?.[1] ?? 0)
  const end = range?.[2] === undefined || range[2] === '' ? bytes.length : Number(range[2]) + 1
  response.writeHead(range === null ? 200 : 206, {
    'content-type': type,
    'content-length': end - start,
    ...(digest === undefined ? {} : { 'docker-content-digest': digest }),
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes.subarray(start, end))
}

const json = (value: unknown): Content => ({
  type: 'application/json',
  bytes: new TextEncoder().encode(JSON.stringify(value)),
})
