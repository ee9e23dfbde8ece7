/**
 * A registry that makes up one image with layers of any size and lets what it is sent go, as a process of its own:
 * bun test/bench/made-up.ts <layers> <MiB of each>
 * Layers are zeros behind a first block that tells them apart, so that a file system can hold them as holes.
 * Prints its host and port when it is ready.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'

const [count = 1, mib = 1] = process.argv.slice(2).map(Number)
const MIB = 2 ** 20
const zeros = new Uint8Array(MIB)
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const digestOf = (content: Uint8Array): string =>
  `sha256:${new Bun.CryptoHasher('sha256').update(content).digest('hex')}`

const firstOf = (layer: number): Uint8Array => {
  const block = new Uint8Array(MIB)
  block.set(Buffer.from(`layer ${layer} of ${count}`))
  return block
}
const layers = new Map<string, number>()
for (let layer = 0; layer < count; layer += 1) {
  const hasher = new Bun.CryptoHasher('sha256').update(firstOf(layer))
  for (let at = 1; at < mib; at += 1) hasher.update(zeros)
  layers.set(`sha256:${hasher.digest('hex')}`, layer)
}
const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } }))
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(config),
      size: config.length,
    },
    layers: [...layers.keys()].map((digest) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest,
      size: mib * MIB,
    })),
  }),
)

let pushed = false
const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`127.0.0.1:${typeof address === 'object' ? (address?.port ?? '') : ''}\n`)
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?')
  const name = path.slice(path.lastIndexOf('/') + 1)
  const isThere = !path.startsWith('/v2/in/') || pushed
  if (request.method === 'PUT' || request.method === 'POST') {
    request.resume()
    await once(request, 'end')
    pushed ||= path.includes('/manifests/')
    response.writeHead(request.method === 'PUT' ? 201 : 202, { location: `${path}1` }).end()
  } else if (path === '/v2/') response.end('{}')
  else if (!isThere || request.method === 'DELETE') response.writeHead(404).end()
  else if (path.includes('/manifests/')) send(request, response, manifest, MANIFEST)
  else if (!layers.has(name)) send(request, response, config, 'application/octet-stream')
  else {
    const size = mib * MIB
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const range = start === 0 ? {} : { 'content-range': `bytes ${start}-${size - 1}/${size}` }
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': size - start, ...range })
    for (let at = start; at < size; at += MIB - (at % MIB)) {
      const block = at < MIB ? firstOf(layers.get(name) ?? 0) : zeros
      if (!response.write(block.subarray(at % MIB))) await once(response, 'drain')
    }
    response.end()
  }
}

function send(request: IncomingMessage, response: ServerResponse, content: Buffer, type: string): void {
  const headers = {
    'content-type': type,
    'content-length': content.length,
    'docker-content-digest': digestOf(content),
  }
  response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : content)
}
