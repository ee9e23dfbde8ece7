import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startCli } from '../support/cli.ts'
import { noise } from '../support/images.ts'
import { peakOf } from '../support/peak.ts'
import { runShell } from '../support/shell.ts'

const MIB = 1024 * 1024
const SIZE = 96 * MIB
const WINDOW = 3 * MIB
const TYPE = 'application/vnd.oci.image.manifest.v1+json'

const sha256 = (of: Uint8Array): string => `sha256:${new Bun.CryptoHasher('sha256').update(of).digest('hex')}`
const layer = noise(SIZE, 3)
const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } }))
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: TYPE,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: sha256(config),
      size: config.length,
    },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: SIZE }],
  }),
)

interface Request {
  readonly range: string | undefined
  readonly start: number
  readonly end: number
  readonly nr: number
}

/** A registry of one large layer, each of whose connections is slow: a pause after every 256 KiB. */
let server: Server
let host: string
let folder: string
let requests: Request[] = []
let open = 0
let most = 0
/** Answers in place of the registry when it returns true. */
let instead: (request: Request, response: ServerResponse) => boolean = () => false

beforeAll(async () => {
  server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  host = `127.0.0.1:${typeof address === 'object' ? (address?.port ?? '') : ''}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'large-layer-'))
  await writeFile(join(folder, 'spec.yaml'), `images: [${host}/big:1]\n`)
  requests = []
  most = 0
  instead = () => false
})
afterEach(() => rm(folder, { recursive: true }))

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? ''
  if (path === '/v2/') return void response.end('{}')
  if (path.includes('/manifests/')) {
    const headers = {
      'content-type': TYPE,
      'docker-content-digest': sha256(manifest),
      'content-length': manifest.length,
    }
    return void response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : manifest)
  }
  if (path.endsWith(sha256(config))) return void response.end(config)
  const range = request.headers.range
  const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? 'bytes=0-') ?? []
  const start = Number(from)
  const end = to === '' ? SIZE : Number(to) + 1
  const one: Request = { range, start, end, nr: requests.filter((other) => other.start === start).length }
  requests.push(one)
  if (instead(one, response)) return
  const part = range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${SIZE}` }
  response.writeHead(range === undefined ? 200 : 206, { 'content-length': end - start, ...part })
  await send(response, start, end)
}

async function send(response: ServerResponse, start: number, end: number, content = layer): Promise<void> {
  open += 1
  most = Math.max(most, open)
  try {
    for (let at = start; at < end && !response.destroyed; at += MIB / 4) {
      await Bun.sleep(10)
      if (at + MIB / 4 >= end) open -= 1
      response.write(content.subarray(at, Math.min(at + MIB / 4, end)))
    }
    response.end()
  } finally {
    if (response.destroyed && !response.writableEnded) open -= 1
  }
}

const flags = (): readonly string[] => [
  'export',
  join(folder, 'big.tar'),
  '--spec',
  join(folder, 'spec.yaml'),
  '--platform',
  'linux/amd64',
]

/** The layer as it lies in the bundle. */
async function bundled(): Promise<boolean> {
  const tar = await readFile(join(folder, 'big.tar'))
  const at = tar.indexOf(layer.subarray(0, 64))
  return at > 0 && Buffer.compare(tar.subarray(at, at + SIZE), layer) === 0
}

describe('a large layer', () => {
  it('comes over several connections, each byte once, in windows that are counted', async () => {
    const { code, stdout } = await runShell(flags())
    expect(code).toBe(0)
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(8)
    expect(await bundled()).toBe(true)
    expect(stdout).toContain('fetched 96.0 MiB')
    // Where a busy machine makes several connections as slow as one, the end comes over one.
    const [rest, ...windows] = requests.toSorted((a, b) => b.start - a.start)
    expect(windows.every(({ start, end }) => start % WINDOW === 0 && end - start === WINDOW)).toBe(true)
    expect([rest?.end, new Set(requests.map(({ start }) => start)).size]).toEqual([SIZE, requests.length])
  })

  it('keeps to --concurrency', async () => {
    expect(await runShell([...flags(), '--concurrency', '2'])).toMatchObject({ code: 0 })
    expect(most).toBe(2)
    expect(await bundled()).toBe(true)
  })

  it.each([
    [
      '200 with everything',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': SIZE })
        void send(response, 0, SIZE)
      },
    ],
    [
      'another range',
      (response: ServerResponse) => {
        response.writeHead(206, {
          'content-length': WINDOW,
          'content-range': `bytes 0-${WINDOW - 1}/${SIZE}`,
        })
        void send(response, 0, WINDOW)
      },
    ],
    [
      '416',
      (response: ServerResponse) => {
        response.writeHead(416).end()
      },
    ],
  ])('comes on one connection when a window is answered with %s', async (_, odd) => {
    instead = ({ start, range }, response) => {
      if (start !== 5 * WINDOW || range?.endsWith('-') === true) return false
      odd(response)
      return true
    }
    expect(await runShell(flags())).toMatchObject({ code: 0 })
    expect(await bundled()).toBe(true)
    expect(requests.some(({ range }) => range === undefined || range.endsWith('-'))).toBe(true)
  })

  it('is asked for again as a whole when a window brought other bytes', async () => {
    const other = noise(WINDOW, 9)
    instead = ({ start, end, nr, range }, response) => {
      if (start !== 5 * WINDOW || nr > 0) return false
      response.writeHead(206, {
        'content-length': WINDOW,
        'content-range': `bytes ${start}-${end - 1}/${SIZE}`,
      })
      void send(response, 0, WINDOW, other)
      return range !== undefined
    }
    const { code, stderr } = await runShell(flags())
    expect(stderr).toContain('tried again')
    expect(code).toBe(0)
    expect(await bundled()).toBe(true)
  })

  it('waits for a host that answers 429, and goes on', async () => {
    instead = ({ start, nr }, response) => {
      if (start !== 3 * WINDOW || nr > 1) return false
      response.writeHead(429, { 'retry-after': '0' }).end()
      return true
    }
    expect(await runShell(flags())).toMatchObject({ code: 0 })
    expect(await bundled()).toBe(true)
  })

  it('loses at most what waited for its turn when it is killed', async () => {
    const child = startCli(flags(), { cwd: folder })
    while (requests.length < 14) await Bun.sleep(5)
    child.kill('SIGKILL')
    await child.exited
    const before = requests.length
    const { code, stdout } = await runShell(flags())
    expect(code).toBe(0)
    expect(await bundled()).toBe(true)
    const again = requests.slice(before).reduce((sum, { start, end }) => sum + end - start, 0)
    expect(again).toBeLessThan(SIZE)
    expect(stdout).toContain('from an earlier run')
  })

  it('takes no more memory than small ones', async () => {
    const peak = await peakOf(flags(), folder)
    expect(peak).toBeLessThan(150 * MIB)
  })
})
