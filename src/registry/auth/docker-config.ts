import { join } from 'node:path'
import { codeOf, messageOf } from '../../lib/errors.ts'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import { createOnce } from '../../lib/once.ts'
import type { Env } from '../../lib/http/proxy.ts'
import { shownPath } from '../../lib/shown-path.ts'
import { aliasesOf, canonicalRegistry } from '../../oci/alias.ts'
import { isObject, parseObject } from '../../oci/manifest.ts'
import type { Credential, Credentials } from './credential.ts'
import { askHelper } from './credential-helper.ts'

export interface DockerCredentialOptions {
  /** Called for a file or helper that does not work; what it would have known is then looked for elsewhere. */
  readonly warn?: (message: string) => void
}

/**
 * What `docker login`, `podman login`, `skopeo login` and `helm registry login` left behind. In order:
 * `$REGISTRY_AUTH_FILE`, `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`,
 * `$XDG_RUNTIME_DIR/containers/auth.json`, `~/.config/containers/auth.json`, `$HELM_REGISTRY_CONFIG` or helm's own file.
 * https://docs.docker.com/reference/cli/docker/login/ and containers-auth.json(5)
 */
export function dockerCredentials(env: Env, options: DockerCredentialOptions = {}): Credentials {
  const files = createOnce<Config | undefined>()
  const helpers = createOnce<Credential | undefined>()
  const warned = new Set<string>()
  const warn = (message: string): void => {
    if (!warned.has(message)) options.warn?.(message)
    warned.add(message)
  }
  let round = 0

  return async (registry, query = {}) => {
    // A helper may hand out something newer, and somebody may have logged in again meanwhile.
    if (query.refresh === true) round += 1
    const ask = (helper: string, server: string): Promise<Credential | undefined> =>
      helpers(`${round} ${helper} ${server}`, () => askHelper(helper, server, env)).catch(
        (error: unknown) => {
          warn(messageOf(error))
          return undefined
        },
      )
    for (const path of pathsOf(env)) {
      const config = await files(`${round} ${path}`, () =>
        readConfig(path, shownPath(path, env['HOME']), warn),
      )
      const found = config === undefined ? undefined : await lookUp(config, registry, query.repository, ask)
      if (found !== undefined) return found
    }
    return undefined
  }
}

// --- internal ---

interface Config {
  readonly auths: Readonly<Record<string, unknown>>
  readonly credHelpers: Readonly<Record<string, unknown>>
  readonly credsStore: unknown
}

/** Docker Hub's key, since the days of the first registry API. */
const HUB_KEY = 'https://index.docker.io/v1/'

function pathsOf(env: Env): readonly string[] {
  const home = env['HOME'] ?? env['USERPROFILE'] ?? ''
  const config = env['XDG_CONFIG_HOME'] ?? join(home, '.config')
  const runtime = env['XDG_RUNTIME_DIR']
  return [
    ...(env['REGISTRY_AUTH_FILE'] ? [env['REGISTRY_AUTH_FILE']] : []),
    join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json'),
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
    join(config, 'containers', 'auth.json'),
    env['HELM_REGISTRY_CONFIG'] ||
      join(env['HELM_CONFIG_HOME'] || join(config, 'helm'), 'registry', 'config.json'),
  ]
}

/** Hundreds of logins. */
const LIMIT = 4 * 1024 * 1024

async function readConfig(
  path: string,
  shown: string,
  warn: (message: string) => void,
): Promise<Config | undefined> {
  let raw: Uint8Array
  try {
    raw = await readSmall(path, LIMIT)
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      warn(`cannot read the credentials in ${shown}: ${whyUnreadable(error)}`)
    return undefined
  }
  const json = parseObject(raw)
  if (json === undefined) {
    if (raw.length > 0) warn(`the credentials in ${shown} are not JSON and are left out`)
    return undefined
  }
  const { auths, credHelpers, credsStore } = json
  return {
    auths: isObject(auths) ? auths : {},
    credHelpers: isObject(credHelpers) ? credHelpers : {},
    credsStore,
  }
}

type Ask = (helper: string, server: string) => Promise<Credential | undefined>

async function lookUp(
  { auths, credHelpers, credsStore }: Config,
  registry: string,
  repository: string | undefined,
  ask: Ask,
): Promise<Credential | undefined> {
  const isHub = canonicalRegistry(registry) === 'docker.io' && registry !== 'mirror.gcr.io'
  const hosts = isHub
    ? aliasesOf('docker.io').filter((alias) => alias !== 'mirror.gcr.io')
    : [registry.toLowerCase()]
  for (const host of hosts) {
    const helper = credHelpers[host] ?? (isHub ? credHelpers[HUB_KEY] : undefined)
    if (typeof helper !== 'string' || helper === '') continue
    const found = await ask(helper, isHub ? HUB_KEY : host)
    if (found !== undefined) return found
  }
  const entries = Object.entries(auths).map(([key, entry]) => [normalise(key), entry] as const)
  const parts = repository?.split('/') ?? []
  for (let length = parts.length; length >= 0; length -= 1) {
    for (const host of hosts) {
      const wanted = [host, ...parts.slice(0, length)].join('/')
      const found = entries
        .map(([key, entry]) => (key === wanted ? credentialOf(entry) : undefined))
        .find(Boolean)
      if (found !== undefined) return found
    }
  }
  if (typeof credsStore !== 'string' || credsStore === '') return undefined
  return ask(credsStore, isHub ? HUB_KEY : registry.toLowerCase())
}

/** `https://index.docker.io/v1/` and `https://host/v2/` to the bare host; paths of podman's keys stay. */
const normalise = (key: string): string =>
  key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '')
    .toLowerCase()

function credentialOf(entry: unknown): Credential | undefined {
  if (!isObject(entry)) return undefined
  const { auth, username, password, identitytoken, registrytoken } = entry
  if (typeof identitytoken === 'string' && identitytoken !== '') return { identityToken: identitytoken }
  if (typeof registrytoken === 'string' && registrytoken !== '')
    return { authorization: `Bearer ${registrytoken}` }
  if (typeof auth === 'string' && auth !== '') {
    const pair = Buffer.from(auth, 'base64').toString('utf8')
    const colon = pair.indexOf(':')
    if (colon > 0)
      return { username: pair.slice(0, colon), password: pair.slice(colon + 1).replace(/\0+$/, '') }
  }
  if (typeof username === 'string' && username !== '' && typeof password === 'string')
    return { username, password }
  return undefined
}
