import { spawn } from 'node:child_process'
import { BundleError, messageOf } from '../../lib/errors.ts'
import type { Env } from '../../lib/http/proxy.ts'
import { parseObject } from '../../oci/manifest.ts'
import type { Credential } from './credential.ts'

/**
 * Asks a real credential helper: `docker-credential-<name> get`, the server on its stdin, JSON on its stdout.
 * https://github.com/docker/docker-credential-helpers
 * @returns undefined when it knows nothing of the server
 * @throws when it is not installed, fails otherwise, or answers nonsense
 */
export async function askHelper(name: string, server: string, env: Env): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`
  const fail = (why: string, cause?: unknown) =>
    new BundleError(`the credential helper ${program} ${why}`, {
      kind: 'auth',
      where: server,
      next: 'install it, or take its name out of the configuration that names it (credsStore, credHelpers)',
      cause,
    })
  if (!/^[\w.-]+$/.test(name)) throw fail('has a name that cannot be a program')
  const { code, stdout, stderr } = await run(program, server, env).catch((error: unknown) => {
    throw fail(`cannot be run: ${messageOf(error)}`, error)
  })
  if (code !== 0) {
    const said = `${stdout} ${stderr}`.trim()
    // The one failure that is none: the text is part of the protocol.
    if (/credentials not found/i.test(said)) return undefined
    // Some print what they know before they fail.
    const safe = /[{}]/.test(said) ? '' : said.replace(/\s+/g, ' ').slice(0, 300)
    throw fail(`failed: ${safe || `exit code ${code}`}`)
  }
  const json = parseObject(Buffer.from(stdout))
  const username = json?.['Username']
  const secret = json?.['Secret']
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw fail('did not answer with credentials')
  if (secret === '') return undefined
  return username === '<token>' ? { identityToken: secret } : { username, password: secret }
}

// --- internal ---

const PATIENCE_MS = 60_000
const LONGEST = 256 * 1024

interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(program: string, input: string, env: Env): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { env: { ...env }, timeout: PATIENCE_MS, stdio: 'pipe' })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      if (stdout.length < LONGEST) stdout += String(chunk)
    })
    child.stderr.on('data', (chunk) => {
      if (stderr.length < LONGEST) stderr += String(chunk)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal === null) resolve({ code: code ?? 1, stdout, stderr })
      else reject(new Error(`it was ended by ${signal}`))
    })
    // A helper that does not read its input closes it; its answer counts, not this.
    child.stdin.on('error', () => undefined)
    child.stdin.end(`${server(input)}\n`)
  })
}

/** One line is the whole protocol. */
const server = (text: string): string => text.replace(/\s+/g, '')
