import { createServer, type Server } from 'node:http'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startCli } from '../support/cli.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { startS3, type S3Double } from '../support/s3/server.ts'
import { runShell } from '../support/shell.ts'

const MIB = 2 ** 20
const KEY = 'bundle.tar'
const OBJECT = `s3://bundles/${KEY}`

let folder: string
let s3: S3Double
let registry: Server
let host: string
/** Bytes of each blob that went out. */
let sent: Map<string, number>
/** Blobs that come with a flipped bit, and how often. */
let wrong: Map<string, number>
/** By path below `/v2/team/x/`. */
let content: Map<string, Uint8Array>
const at = (name: string): string => join(folder, name)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 's3-resume-'))
  s3 = await startS3()
  sent = new Map()
  wrong = new Map()
  registry = createServer((request, response) => {
    const path = (request.url ?? '').replace('/v2/team/x/', '')
    const bytes = content.get(path)
    if (bytes === undefined) {
      response.writeHead(path === '/v2/' ? 200 : 404).end()
      return
    }
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const type = path.startsWith('manifests/')
      ? 'application/vnd.oci.image.manifest.v1+json'
      : 'application/octet-stream'
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': type,
      'content-length': String(bytes.length - from),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    })
    const faults = wrong.get(path) ?? 0
    const body = Buffer.from(bytes.subarray(from))
    if (faults > 0 && request.method === 'GET') {
      wrong.set(path, faults - 1)
      const spot = Math.floor(body.length / 3)
      body[spot] = (body[spot] ?? 0) ^ 1
    }
    const write = (done: number): void => {
      if (done >= body.length || response.destroyed) {
        response.end()
        return
      }
      const piece = body.subarray(done, done + 256 * 1024)
      response.write(piece, () => {
        sent.set(path, (sent.get(path) ?? 0) + piece.length)
        write(done + piece.length)
      })
    }
    write(request.method === 'HEAD' ? body.length : 0)
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  host = `127.0.0.1:${(registry.address() as AddressInfo).port}`
})
afterEach(async () => {
  await s3.stop()
  registry.closeAllConnections()
  registry.close()
  rmSync(folder, { recursive: true })
  expect(s3.errors).toEqual([])
})

/** One image with layers of so many MiB; returns the bundle as a file, made without S3. */
async function image(...sizes: readonly number[]): Promise<Uint8Array> {
  const built = buildImage(sizes.map((mib, seed) => layerOf({ own: noise(mib * MIB, seed + 31) })))
  content = new Map([
    ...['1', built.digest].map((name): [string, Uint8Array] => [`manifests/${name}`, built.raw]),
    ...[...built.blobs].map(([digest, bytes]): [string, Uint8Array] => [`blobs/${digest}`, bytes]),
  ])
  writeFileSync(at('spec.yaml'), `images: [${host}/team/x:1]\n`)
  const made = await runShell([
    'export',
    at('bundle.tar'),
    '--spec',
    at('spec.yaml'),
    '--platform',
    'linux/amd64',
    '--quiet',
  ])
  expect(made).toMatchObject({ code: 0 })
  sent.clear()
  return new Uint8Array(readFileSync(at('bundle.tar')))
}

const args = ['export', OBJECT, '--spec', 'spec.yaml', '--platform', 'linux/amd64', '--json']

const run = async (): Promise<{ readonly fetched: number; readonly kept: number }> => {
  const { code, json } = await runShell(args.with(3, at('spec.yaml')), { env: s3.environment })
  expect(code).toBe(0)
  return json.at(-1)?.['result'] as { fetched: number; kept: number }
}

const breakAt = async (part: number): Promise<void> => {
  s3.faults.add({
    action: 'UploadPart',
    fault: { kind: 'answer', status: 403, code: 'AccessDenied' },
    skip: part,
    times: 1000,
  })
  expect((await runShell(args.with(3, at('spec.yaml')), { env: s3.environment })).code).toBe(3)
  s3.faults.clear()
  sent.clear()
}

async function expectWhole(bytes: Uint8Array): Promise<void> {
  expect(Buffer.compare(await s3.read('bundles', KEY), bytes)).toBe(0)
  expect([...s3.bucket('bundles').objects.keys()].toSorted()).toEqual([KEY, `${KEY}.lock.json`])
  expect(s3.bucket('bundles').uploads.size).toBe(0)
}

describe('an export into S3 goes on', { timeout: 120_000 }, () => {
  test('inside of a layer of more than 64 MiB, by the state of its hash', async () => {
    const bytes = await image(80)
    await breakAt(8)
    const { kept } = await run()
    await expectWhole(bytes)
    expect(kept).toBeGreaterThanOrEqual(24 * MIB)
    const largest = Math.max(...sent.values())
    // Not from its beginning, but for a piece of the run before that was still on its way; and of what was uploaded,
    // no more than 64 MiB.
    expect(largest).toBeLessThanOrEqual(bytes.length - kept + MIB)
    expect(bytes.length - kept).toBeLessThanOrEqual(bytes.length - 8 * 7 * MIB + 64 * MIB)
  })

  test('behind finished layers, which are not fetched again', async () => {
    const bytes = await image(9, 10, 11, 12)
    await breakAt(4)
    const { kept } = await run()
    await expectWhole(bytes)
    expect(kept).toBeGreaterThan(18 * MIB)
    expect(
      [...sent.keys()].filter((path) => (content.get(path)?.length ?? 0) > MIB).length,
    ).toBeLessThanOrEqual(2)
  })

  test('after it was killed again and again', async () => {
    const bytes = await image(70, 9, 3)
    let fetched = 0
    let kills = 0
    for (const parts of [1, 2, 3, 3, 5, 6, 8]) {
      const before = s3.count('UploadPart')
      const child = startCli(args, { cwd: folder, env: s3.environment })
      while (child.exitCode === null && s3.count('UploadPart') < before + parts) await Bun.sleep(5)
      if (child.exitCode === null) kills += 1
      child.kill('SIGKILL')
      await child.exited
      fetched += [...sent.values()].reduce((sum, size) => sum + size, 0)
      sent.clear()
      if (s3.bucket('bundles').objects.has(KEY)) break
    }
    expect(kills).toBeGreaterThan(2)
    await run()
    fetched += [...sent.values()].reduce((sum, size) => sum + size, 0)
    await expectWhole(bytes)
    // Each kill costs 64 MiB of the layer in flight at most, and what was read ahead.
    expect(fetched).toBeLessThan(bytes.length + kills * 96 * MIB)
  })

  test('content that comes wrong is asked for once more, and its parts are replaced', async () => {
    const bytes = await image(70, 20)
    for (const [path, { length }] of content) if (length > 15 * MIB) wrong.set(path, 1)
    await run()
    await expectWhole(bytes)
  })

  test('content that stays wrong ends the export; once mended at its source, the next run is right', async () => {
    const bytes = await image(70, 20)
    for (const [path, { length }] of content) if (length > 60 * MIB) wrong.set(path, 100)
    expect((await runShell(args.with(3, at('spec.yaml')), { env: s3.environment })).code).toBe(5)
    expect(s3.bucket('bundles').objects.has(KEY)).toBe(false)
    wrong.clear()
    await run()
    await expectWhole(bytes)
  })

  test('what was uploaded of wrong content before a kill is found, and replaced', async () => {
    const bytes = await image(70, 20)
    for (const [path, { length }] of content) if (length > 15 * MIB) wrong.set(path, 1)
    await breakAt(6)
    wrong.clear()
    await run()
    await expectWhole(bytes)
  })
})
