import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { noise } from '../support/images.ts'

const MIB = 2 ** 20
const LIMIT = 150 * MIB
/** One layer much larger than the limit, and some to go beside it. */
const LAYERS = [512, 128, 128, 64, 64, 64, 64]

const block = noise(MIB)
const digest = (of: Uint8Array): string => `sha256:${new Bun.CryptoHasher('sha256').update(of).digest('hex')}`
const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } }))
const layers = new Map(LAYERS.map((mib, at) => [layerDigest(mib, at), mib]))
const type = 'application/vnd.oci.image.manifest.v1+json'
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digest(config),
      size: config.length,
    },
    layers: [...layers].map(([layer, mib]) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: layer,
      size: mib * MIB,
    })),
  }),
)

let folder: string
let server: Server
let host: string
let received = 0
let pushed = false

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-memory-'))
  server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  host = `127.0.0.1:${typeof address === 'object' ? (address?.port ?? '') : ''}`
  await writeFile(join(folder, 'spec.yaml'), `images: [${host}/big:1]\n`)
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

test('a gigabyte goes out and in with less than 150 MiB of memory', { timeout: 180_000 }, async () => {
  const out = await peakOf('export', 'bundle.tar', '--spec', 'spec.yaml', '--platform', 'linux/amd64')
  expect((await stat(join(folder, 'bundle.tar'))).size).toBeGreaterThan(1024 * MIB)
  const back = await peakOf('import', 'bundle.tar', '--registry', `${host}/in`)
  expect(received).toBe(1024 * MIB + config.length)
  expect(out / MIB).toBeLessThan(LIMIT / MIB)
  expect(back / MIB).toBeLessThan(LIMIT / MIB)
})

test('and through a pipe from one to the other', { timeout: 180_000 }, async () => {
  received = 0
  pushed = false
  const [out = 0, back = 0] = await peaksOf(
    ['export', '-', '--spec', 'spec.yaml', '--platform', 'linux/amd64'],
    ['import', '-', '--registry', `${host}/in`],
  )
  expect(received).toBe(1024 * MIB + config.length)
  expect(out / MIB).toBeLessThan(LIMIT / MIB)
  expect(back / MIB).toBeLessThan(LIMIT / MIB)
})

const peakOf = async (...args: readonly string[]): Promise<number> => (await peaksOf(args))[0] ?? Infinity

/** Runs the program once for each line, with pipes between, and returns the peak of each in bytes. */
async function peaksOf(...lines: readonly (readonly string[])[]): Promise<readonly number[]> {
  const source = resolve(import.meta.dirname, '../..')
  const program = [process.execPath, '--preload', join(source, 'test/support/peak-memory.ts')]
  const pipe = lines
    .map((args, at) => {
      const words = [...program, join(source, 'src/cli.ts'), ...args, '--quiet']
      return `PEAK_MEMORY_FILE=peak${at} ${words.map((word) => `'${word}'`).join(' ')}`
    })
    .join(' | ')
  const child = spawn('bash', ['-c', `set -o pipefail; ${pipe} >out`], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += String(chunk)))
  const code = await new Promise((ended) => child.on('close', ended))
  // What an export to a pipe has to say goes there too.
  expect(said.replace(/^(?:kind[^]*)?Wrote standard output: .*\n/, '')).toBe('')
  expect(code).toBe(0)
  return Promise.all(lines.map(async (_, at) => Number(await readFile(join(folder, `peak${at}`), 'utf8'))))
}

/** A registry that makes its layers up, and counts what it is sent. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?')
  const name = path.slice(path.lastIndexOf('/') + 1)
  const mib = layers.get(name)
  const inside = path.startsWith('/v2/in/')
  if (request.method === 'PUT') {
    for await (const chunk of request) if (path.includes('/blobs/')) received += (chunk as Buffer).length
    if (path.includes('/manifests/')) pushed = true
    response.writeHead(201).end()
  } else if (request.method === 'POST') {
    response.writeHead(202, { location: `${path}1` }).end()
  } else if (path === '/v2/') {
    response.end('{}')
  } else if (path.includes('/manifests/') && (!inside || pushed)) {
    response.writeHead(200, {
      'content-type': type,
      'content-length': manifest.length,
      'docker-content-digest': digest(manifest),
    })
    response.end(request.method === 'HEAD' ? undefined : manifest)
  } else if (inside) {
    response.writeHead(404).end()
  } else if (mib === undefined) {
    response.writeHead(200, { 'content-length': config.length }).end(config)
  } else {
    response.writeHead(200, { 'content-length': mib * MIB })
    await pipeline(Readable.from(piecesOf(mib, [...layers.keys()].indexOf(name))), response)
  }
}

/** The first MiB of a layer makes it different from the others. */
function* piecesOf(mib: number, layer: number): Iterable<Uint8Array> {
  const first = new Uint8Array(block)
  first[0] = layer
  yield first
  for (let at = 1; at < mib; at += 1) yield block
}

function layerDigest(mib: number, layer: number): string {
  const hasher = new Bun.CryptoHasher('sha256')
  for (const piece of piecesOf(mib, layer)) hasher.update(piece)
  return `sha256:${hasher.digest('hex')}`
}
