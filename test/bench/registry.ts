import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface BenchRegistryOptions {
  readonly storage: string
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
}

export interface BenchRegistry {
  readonly host: string
  /** How many requests it has answered, by method. */
  requests(): Promise<Readonly<Record<string, number>>>
  stop(): Promise<void>
}

/** Debian's docker-registry as the tests start it, with one difference: it logs each request, so that they can be counted. */
export async function startRegistry({ storage, tls }: BenchRegistryOptions): Promise<BenchRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-bench-registry-'))
  const port = await freePort()
  const config = join(folder, 'config.yml')
  const log = join(folder, 'access.log')
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error' },
      storage: {
        filesystem: { rootdirectory: storage, maxthreads: 200 },
        delete: { enabled: true },
        maintenance: { uploadpurging: { enabled: false } },
      },
      http: {
        addr: `127.0.0.1:${port}`,
        ...(tls === undefined ? {} : { tls: { certificate: tls.certFile, key: tls.keyFile } }),
      },
    }),
  )
  const out = openSync(log, 'w')
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', out, 'ignore'] })
  closeSync(out)
  child.on('error', () => undefined)
  const host = `${tls === undefined ? '127.0.0.1' : 'localhost'}:${port}`
  for (let tries = 0; !(await answers(host, tls !== undefined)); tries += 1) {
    if (tries === 200 || child.exitCode !== null) {
      throw new Error('docker-registry does not start: apt-get install docker-registry')
    }
    await Bun.sleep(25)
  }
  return {
    host,
    async requests() {
      const counts: Record<string, number> = {}
      // Apache's combined format: … "GET /v2/… HTTP/1.1" 200 …
      for (const [, method = ''] of (await readFile(log, 'utf8')).matchAll(/"([A-Z]+) \/v2\/[^ "]+ HTTP/g)) {
        counts[method] = (counts[method] ?? 0) + 1
      }
      return counts
    },
    async stop() {
      if (child.exitCode === null) {
        await new Promise((resolve) => {
          child.on('exit', resolve)
          child.kill('SIGKILL')
        })
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

// --- internal ---

const answers = (host: string, secure: boolean): Promise<boolean> =>
  fetch(`${secure ? 'https' : 'http'}://${host}/v2/`, { tls: { rejectUnauthorized: false } }).then(
    (response) => response.ok,
    () => false,
  )

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
