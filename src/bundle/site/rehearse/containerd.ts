import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BundleError, codeOf, messageOf, usageError } from '../../../lib/errors.ts'
import { tomlString } from '../../../lib/text/visible.ts'
import { isLoopback } from '../../../lib/url.ts'
import type { Credentials } from '../../../registry/auth/credentials.ts'
import { explainPull } from '../check/pull-failures.ts'
import type { Rehearsed } from './rehearse.ts'

export interface ContainerdOptions {
  /** The private registry. */
  readonly registry: string
  /** Those of the nodes. */
  readonly credentials: Credentials
  /** PEM files whose certificates are trusted as well. */
  readonly caFiles: readonly string[]
  readonly insecure: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  readonly onPull?: (pull: Rehearsed) => void
}

/** Images are kept apart from those of a kubelet, and go when the rehearsal ends. */
const NAMESPACE = 'ma-bundle-rehearsal'

/**
 * Pulls references with the containerd of this machine, one after another, and removes them again. The login goes to
 * containerd in a file that only this user can read, never in an argument.
 * @param pulls what is pulled: reference and platform
 * @throws a usage error where there is no `ctr`, or it cannot reach a containerd
 */
export async function pullWithContainerd(
  pulls: readonly Pick<Rehearsed, 'reference' | 'platform'>[],
  options: ContainerdOptions,
): Promise<readonly Rehearsed[]> {
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-rehearsal-'))
  const ctr = (...args: readonly string[]): Promise<string> =>
    runCtr(['--namespace', NAMESPACE, ...args], options)
  try {
    await ctr('version')
    const hosts = await writeHosts(folder, options)
    const done: Rehearsed[] = []
    for (const { reference, platform } of pulls) {
      options.signal.throwIfAborted()
      const only = /^\w+\/\w+/.test(platform) ? ['--platform', platform] : []
      const failure = await failureOf(
        () => ctr('images', 'pull', ...only, '--hosts-dir', hosts, reference),
        options,
      )
      const pull = {
        reference,
        platform,
        ...(failure === undefined ? {} : { cause: causeOf(failure) }),
      }
      done.push(pull)
      options.onPull?.(pull)
    }
    return done
  } finally {
    await rm(folder, { recursive: true, force: true })
    await removeAll(options)
  }
}

// --- internal ---

function causeOf(text: string): NonNullable<Rehearsed['cause']> {
  const { cause, next } = explainPull(text)
  return { what: `containerd: ${cause}`, next, kind: 'failed' }
}

async function failureOf(
  task: () => Promise<unknown>,
  { signal }: ContainerdOptions,
): Promise<string | undefined> {
  try {
    await task()
    return undefined
  } catch (error) {
    if (signal.aborted || !(error instanceof BundleError)) throw error
    return messageOf(error)
  }
}

/** https://github.com/containerd/containerd/blob/main/docs/hosts.md */
async function writeHosts(folder: string, options: ContainerdOptions): Promise<string> {
  const { registry, caFiles, insecure, credentials } = options
  const found = await credentials(registry)
  const authorization = authorizationOf(found)
  const scheme = isLoopback(registry.replace(/:\d+$/, '')) || insecure.includes(registry) ? 'http' : 'https'
  const url = `${caFiles.length > 0 ? 'https' : scheme}://${registry}`
  const text = [
    `server = ${tomlString(url)}`,
    `[host.${tomlString(url)}]`,
    '  capabilities = ["pull", "resolve"]',
    ...(caFiles.length === 0 ? [] : [`  ca = [${caFiles.map(tomlString).join(', ')}]`]),
    ...(authorization === undefined
      ? []
      : [`  [host.${tomlString(url)}.header]`, `    authorization = ${tomlString(authorization)}`]),
    '',
  ].join('\n')
  const place = join(folder, registry)
  await mkdir(place, { recursive: true, mode: 0o700 })
  await writeFile(join(place, 'hosts.toml'), text, { mode: 0o600 })
  return folder
}

function authorizationOf(credential: Awaited<ReturnType<Credentials>>): string | undefined {
  if (credential === undefined || 'identityToken' in credential) return undefined
  if ('authorization' in credential) return credential.authorization
  const { username, password } = credential
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Whatever was pulled: images first, then the content nobody holds, then the namespace. */
async function removeAll(options: ContainerdOptions): Promise<void> {
  const quiet = { ...options, signal: new AbortController().signal }
  const ctr = (...args: readonly string[]): Promise<string> => runCtr(args, quiet)
  const names = await ctr('--namespace', NAMESPACE, 'images', 'list', '--quiet').catch(() => '')
  const images = names.split('\n').filter(Boolean)
  if (images.length > 0) await ctr('--namespace', NAMESPACE, 'images', 'remove', '--sync', ...images)
  const namespaces = await ctr('namespaces', 'list', '--quiet').catch(() => '')
  if (namespaces.split('\n').includes(NAMESPACE))
    // Content and snapshots are collected a moment after the images; a namespace that is not empty yet goes next time.
    await ctr('namespaces', 'remove', NAMESPACE).catch(() => '')
}

function runCtr(
  args: readonly string[],
  { env, signal }: Pick<ContainerdOptions, 'env' | 'signal'>,
): Promise<string> {
  const options = { env: { ...env }, signal, maxBuffer: 16 * 1024 * 1024 }
  return new Promise((resolve, reject) => {
    execFile('ctr', ['--connect-timeout', '5s', ...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      if (signal.aborted) return reject(error)
      if (codeOf(error) === 'ENOENT')
        return reject(
          usageError('there is no containerd on this machine: ctr is not on the PATH', {
            next: 'leave out --with-containerd',
          }),
        )
      const words = stderr.trim().replace(/^ctr: /, '')
      if (args.at(-1) === 'version')
        return reject(
          usageError(`containerd does not answer: ${words}`, {
            next: 'run as root, and name its socket if it is another one: CONTAINERD_ADDRESS=/run/containerd/containerd.sock',
          }),
        )
      reject(new BundleError(words, { kind: 'failed', where: 'ctr', cause: error }))
    })
  })
}
