import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseReference } from '../../src/oci/reference.ts'
import { chartArtifact, chartIndex, type PackedChart } from './charts.ts'
import { createCertificate } from './ecr/certificate.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from './images.ts'
import { startNameProxy } from './name-proxy.ts'

export interface InternetOptions {
  /** Every name that leads anywhere. */
  readonly hosts: readonly string[]
  /** Charts by where they lie: `https://host/path` of a repository or of one `.tgz`, `oci://host/path`. */
  readonly charts: readonly { readonly at: string; readonly chart: PackedChart }[]
  /** Other files by URL. */
  readonly files?: Readonly<Record<string, Uint8Array>>
  /** Whether a registry has an image: `quay.io/team/app:v1`, in full. */
  readonly has: (reference: string) => boolean
  /** Where further names lead: ports of loopback. */
  readonly elsewhere?: (host: string) => number | undefined
}

/** The internet, as far as an export sees it: real names over TLS, on loopback, behind a proxy. */
export interface Internet {
  /** For the environment of a program: the proxy, and the authority to trust. */
  readonly environment: Readonly<Record<string, string>>
  readonly caFile: string
  readonly proxy: string
  /** `GET host/path` of all that was asked for. */
  readonly requests: readonly string[]
  stop(): Promise<void>
}

/** Each image is its own: a small layer of its name, for two platforms, above one that all share. */
export async function startInternet(options: InternetOptions): Promise<Internet> {
  const folder = await mkdtemp(join(tmpdir(), 'internet-'))
  const { ca, key, cert } = createCertificate([...new Set(options.hosts)], ['127.0.0.1'])
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, ca)
  const requests: string[] = []
  const answer = answers(options)
  const server: Server = createServer({ key, cert }, (request, response) => {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '')
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    requests.push(`${request.method} ${host}${path}`)
    serve(request, response, answer(host, path))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const names = new Set(options.hosts)
  const proxy = await startNameProxy(
    (host) => options.elsewhere?.(host) ?? (names.has(host) ? port : undefined),
  )
  return {
    environment: { HTTPS_PROXY: proxy.url, MA_BUNDLE_CA_FILE: caFile },
    caFile,
    proxy: proxy.url,
    requests,
    async stop() {
      await proxy.stop()
      await new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The image behind a name; the same name gives the same bytes. */
export function imageNamed(reference: string): BuiltImage {
  const before = built.get(reference)
  if (before !== undefined) return before
  const seed = Buffer.from(reference).reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7)
  const layer = layerOf({ name: reference, bytes: noise(2000, seed) })
  const image = buildIndex(
    ['linux/amd64', 'linux/arm64'].map((platform) => buildImage([BASE, layer], { platform })),
  )
  built.set(reference, image)
  return image
}

// --- internal ---

const BASE = layerOf({ base: noise(10_000, 3) })
const built = new Map<string, BuiltImage>()

interface Content {
  readonly type: string
  readonly bytes: Uint8Array
  readonly digest?: string
}

const json = (value: unknown): Content => ({
  type: 'application/json',
  bytes: new TextEncoder().encode(JSON.stringify(value)),
})

/** Docker Hub's registry answers under another name than its images have. */
const HUB = 'registry-1.docker.io'

function answers({ charts, files = {}, has }: InternetOptions) {
  const blobs = new Map<string, Content>()
  const known = new Map<string, Content>()
  for (const [url, bytes] of Object.entries(files))
    known.set(url.replace(/^https:\/\//, ''), { type: 'application/octet-stream', bytes })
  for (const [at, same] of Map.groupBy(charts, (one) => one.at)) {
    const [first] = same
    const place = at.replace(/^\w+:\/\//, '').replace(/\/$/, '')
    if (first === undefined || at.startsWith('oci://')) continue
    if (at.endsWith('.tgz')) known.set(place, { type: 'application/gzip', bytes: first.chart.tgz })
    else {
      const packed = same.map(({ chart }) => chart)
      known.set(`${place}/index.yaml`, {
        type: 'text/yaml',
        bytes: new TextEncoder().encode(chartIndex(packed)),
      })
      for (const { name, version, tgz } of packed)
        known.set(`${place}/${name}-${version}.tgz`, { type: 'application/gzip', bytes: tgz })
    }
  }
  const artifacts = new Map<string, BuiltImage>(
    charts
      .filter(({ at }) => at.startsWith('oci://'))
      .map(({ at, chart }) => [
        `${at.slice('oci://'.length).replace(/\/$/, '')}/${chart.name}:${chart.version}`,
        chartArtifact(chart),
      ]),
  )
  const manifest = (image: BuiltImage): Content => {
    for (const [digest, bytes] of image.blobs)
      blobs.set(digest, { type: 'application/octet-stream', bytes, digest })
    for (const child of image.children) blobs.set(child.digest, manifest(child))
    const content = { type: image.mediaType, bytes: image.raw, digest: image.digest }
    blobs.set(image.digest, content)
    return content
  }
  return (host: string, path: string): Content | undefined => {
    const file = known.get(`${host}${path}`)
    if (file !== undefined) return file
    if (path === '/v2/') return json({})
    const [, repository, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? []
    if (repository === undefined || reference === undefined) return undefined
    if (kind === 'blobs' || reference.includes(':')) return blobs.get(reference)
    const registry = host === HUB ? 'docker.io' : host
    const name = `${registry}/${repository}:${reference}`
    const artifact = artifacts.get(name)
    if (artifact !== undefined) return manifest(artifact)
    return has(name) && parseReference(name).tag === reference ? manifest(imageNamed(name)) : undefined
  }
}

function serve(request: IncomingMessage, response: ServerResponse, content: Content | undefined): void {
  if (content === undefined) {
    const { type, bytes } = json({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'not known here' }] })
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
