import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Tinyproxy {
  /** `http://127.0.0.1:port`, with the user when there is one. */
  readonly url: string
  /** `METHOD target` of the requests it has seen so far. */
  requests(): Promise<readonly string[]>
  stop(): Promise<void>
}

/** Starts Debian's tinyproxy, a real HTTP proxy, on a free port of loopback. */
export async function startTinyproxy(
  options: { readonly user?: string; readonly password?: string } = {},
): Promise<Tinyproxy> {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: apt-get install tinyproxy`)
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-proxy-'))
  const log = join(folder, 'log')
  for (let tries = 1; ; tries += 1) {
    const port = await freePort()
    const config = join(folder, 'tinyproxy.conf')
    const { user, password } = options
    const lines = [
      'Listen 127.0.0.1',
      `Port ${port}`,
      'Timeout 600',
      'MaxClients 100',
      'LogLevel Connect',
      `LogFile "${log}"`,
    ]
    if (user !== undefined) lines.push(`BasicAuth ${user} ${password ?? ''}`)
    await writeFile(config, `${lines.join('\n')}\n`)
    const child = spawn(PROGRAM, ['-d', '-c', config], { stdio: 'ignore' })
    const end = (): Promise<void> =>
      new Promise((resolve) => {
        if (child.exitCode !== null) resolve()
        child.on('exit', () => resolve())
        child.kill('SIGKILL')
      })
    for (let waited = 0; waited < 10_000 && child.exitCode === null; waited += 20) {
      if (await accepts(port)) {
        const login = user === undefined ? '' : `${user}:${password ?? ''}@`
        return {
          url: `http://${login}127.0.0.1:${port}`,
          async requests() {
            const text = await readFile(log, 'utf8')
            return [...text.matchAll(/Request \(file descriptor \d+\): (\S+ \S+)/g)].map(
              ([, request]) => request ?? '',
            )
          },
          async stop() {
            await end()
            await rm(folder, { recursive: true, force: true })
          },
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await end()
    if (tries === 3) throw new Error('tinyproxy does not start')
  }
}

// --- internal ---

const PROGRAM = '/usr/bin/tinyproxy'

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
