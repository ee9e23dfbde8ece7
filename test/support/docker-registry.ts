import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestCertificate } from './certificates.ts'

export interface DockerRegistryOptions {
  /** Demands this user by Basic authentication. */
  readonly user?: { readonly username: string; readonly password: string }
  /** Speaks TLS with this certificate. */
  readonly tls?: TestCertificate
  /** Keeps its content here, and leaves it here; otherwise in a folder of its own, which goes with it. */
  readonly storage?: string
  /** Addresses of foreign layers that it allows: a regular expression. */
  readonly foreignUrls?: string
  /** To come back where it was; a free one by default. */
  readonly port?: number
}

export interface DockerRegistry {
  /** `127.0.0.1:port`, or `localhost:port` with TLS. */
  readonly host: string
  readonly storage: string
  stop(): Promise<void>
}

/** Starts Debian's docker-registry, a real registry, on a free port of loopback, and waits until it answers. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: apt-get install docker-registry`)
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-registry-'))
  const storage = options.storage ?? join(folder, 'storage')
  await mkdir(storage, { recursive: true })
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort())
    const config = join(folder, 'config.yml')
    await writeFile(config, JSON.stringify(await configFor(options, folder, storage, port)))
    const child = spawn(PROGRAM, ['serve', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    let log = ''
    child.stderr.on('data', (chunk) => (log = (log + String(chunk)).slice(-4000)))
    if (await answers(child, port)) {
      const host = `${options.tls === undefined ? '127.0.0.1' : 'localhost'}:${port}`
      return { host, storage, stop: () => stop(child, folder) }
    }
    await end(child)
    if (tries === 3) throw new Error(`docker-registry does not start: ${log}`)
  }
}

// --- internal ---

const PROGRAM = '/usr/bin/docker-registry'

async function configFor(options: DockerRegistryOptions, folder: string, storage: string, port: number) {
  const { user, tls } = options
  return {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: storage },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      ...(tls === undefined ? {} : { tls: { certificate: tls.certFile, key: tls.keyFile } }),
    },
    ...(options.foreignUrls === undefined
      ? {}
      : { validation: { manifests: { urls: { allow: [options.foreignUrls] } } } }),
    ...(user === undefined
      ? {}
      : { auth: { htpasswd: { realm: 'test', path: await htpasswd(user, folder) } } }),
  }
}

async function htpasswd(
  { username, password }: { username: string; password: string },
  folder: string,
): Promise<string> {
  const program = '/usr/bin/htpasswd'
  if (!existsSync(program)) throw new Error(`${program} is missing: apt-get install apache2-utils`)
  const path = join(folder, 'htpasswd')
  await writeFile(
    path,
    execFileSync(program, ['-Bbn', username, password], { stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  return path
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** Whether it comes to accept connections before it ends. */
async function answers(child: ChildProcess, port: number): Promise<boolean> {
  for (let waited = 0; waited < 20_000 && child.exitCode === null; waited += 25) {
    if (await accepts(port)) return child.exitCode === null
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return false
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import('node:net')
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  await end(child)
  await rm(folder, { recursive: true, force: true })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise((resolve) => {
    child.on('exit', resolve)
    child.kill('SIGKILL')
  })
}
