import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { helmBinary } from '../support/helm.ts'
import { runProgram } from '../support/program.ts'

/** Where a program of somebody else lies, or undefined when this machine has none. */
export type Programs = (name: string) => string | undefined

/** Looks on the PATH, and where Debian keeps what is for root. */
export function findPrograms(path = process.env['PATH'] ?? ''): Programs {
  const folders = [...path.split(':'), '/usr/sbin']
  return (name) => folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
}

/** The first thing in a program's answer that looks like a version. */
export async function versionOf(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runProgram(program, args)
  const text = `${stdout.toString()}\n${stderr}`
  return /\d+\.\d+(?:\.\d+)?(?:-[\w.]+)?/.exec(text)?.[0] ?? text.trim().slice(0, 20)
}

/** Both majors of helm, which come with the tests. */
export const helms = async (): Promise<readonly { readonly name: string; readonly program: string }[]> => [
  { name: 'helm 3', program: await helmBinary(3) },
  { name: 'helm 4', program: await helmBinary(4) },
]

export interface Running {
  readonly host: string
  stop(): Promise<void>
}

/**
 * Starts a server that listens on this port of loopback, and waits until it answers HTTP.
 * @throws with the end of what it said when it does not
 */
export async function startServer(
  program: string,
  port: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (log = (log + String(chunk)).slice(-2000)))
  const host = `127.0.0.1:${port}`
  for (let tries = 0; tries < 150; tries += 1) {
    if (child.exitCode !== null) break
    if (await answers(host)) return { host, stop: () => end(child) }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await end(child)
  throw new Error(`it does not answer: ${log}`)
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

// --- internal ---

async function answers(host: string): Promise<boolean> {
  try {
    await fetch(`http://${host}/`, { signal: AbortSignal.timeout(2000) })
    return true
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 3000)
  await gone
  clearTimeout(late)
}
