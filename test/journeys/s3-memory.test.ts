import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { noise } from '../support/images.ts'
import { startS3, type S3Double } from '../support/s3/server.ts'

const MIB = 2 ** 20
/** One layer that is hashed so that it can be continued, and others beside it. */
const LAYERS = [160, 40, 30, 20]

const block = noise(MIB)
const digest = (...of: readonly Uint8Array[]): string => {
  const hash = new Bun.CryptoHasher('sha256')
  for (const bytes of of) hash.update(bytes)
  return `sha256:${hash.digest('hex')}`
}
/** A layer is one block over and over, with its number behind it. */
const layers = new Map(
  LAYERS.map((mib, at) => [digest(...Array<Uint8Array>(mib).fill(block), Uint8Array.of(at)), { mib, at }]),
)
const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } }))
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
    layers: [...layers].map(([layer, { mib }]) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: layer,
      size: mib * MIB + 1,
    })),
  }),
)

let folder: string
let registry: Server
let s3: S3Double

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3-memory-'))
  // What arrives is hashed and forgotten, so that this process has room for it.
  s3 = await startS3({ keep: false })
  registry = createServer((request, response) => {
    const name = request.url?.split('/').at(-1) ?? ''
    const layer = layers.get(name)
    const small = name === digest(config) ? config : manifest
    response.setHeader(
      'content-type',
      small === manifest && layer === undefined ? type : 'application/octet-stream',
    )
    response.setHeader('content-length', layer === undefined ? small.length : layer.mib * MIB + 1)
    if (request.method === 'HEAD') response.end()
    else if (layer === undefined) response.end(small)
    else {
      const write = (left: number): void => {
        if (left === 0) response.end(Uint8Array.of(layer.at))
        else response.write(block, () => write(left - 1))
      }
      write(layer.mib)
    }
  })
  await new Promise<void>((listening) => registry.listen(0, '127.0.0.1', listening))
  const { port } = registry.address() as AddressInfo
  await writeFile(join(folder, 'spec.yaml'), `images: ['127.0.0.1:${port}/big:1']\n`)
})
afterAll(async () => {
  await s3.stop()
  registry.closeAllConnections()
  registry.close()
  await rm(folder, { recursive: true, force: true })
  expect(s3.errors).toEqual([])
})

test(
  'a bundle goes into S3 and comes out with less than 150 MiB of memory',
  { timeout: 240_000 },
  async () => {
    const spec = ['--spec', 'spec.yaml', '--platform', 'linux/amd64']
    const out = await peakOf('export', 's3://bundles/big.tar', ...spec)
    expect(s3.bucket('bundles').objects.get('big.tar')?.size).toBeGreaterThan(250 * MIB)
    expect(out / MIB).toBeLessThan(150)
    await peakOf('export', 'big.tar', ...spec)
    const file = join(folder, 'big.tar')
    const { size } = await stat(file)
    s3.put('bundles', 'big.tar', {
      size,
      read: (start, end) => createReadStream(file, { start, end: end - 1 }),
    })
    const back = await peakOf('verify', 's3://bundles/big.tar')
    expect(back / MIB).toBeLessThan(150)
  },
)

/** Runs the program and returns its peak in bytes. */
async function peakOf(...args: readonly string[]): Promise<number> {
  const [source, file] = [resolve(import.meta.dirname, '../..'), join(folder, 'peak')]
  const preload = join(source, 'test/support/peak-memory.ts')
  const child = spawn(
    process.execPath,
    ['--preload', preload, join(source, 'src/cli.ts'), ...args, '--quiet'],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, PEAK_MEMORY_FILE: file, ...s3.environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const [stderr, code] = await Promise.all([
    new Response(child.stderr as unknown as ReadableStream).text(),
    new Promise((exited) => child.on('close', exited)),
  ])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return Number(await readFile(file, 'utf8'))
}
