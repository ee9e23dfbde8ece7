import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { readSmall, whyUnreadable } from '../lib/bytes/small-file.ts'
import { codeOf } from '../lib/errors.ts'
import type { Env } from '../lib/http/proxy.ts'
import { createOnce } from '../lib/once.ts'
import { noteSecret } from '../lib/secrets.ts'
import { shownPath } from '../lib/shown-path.ts'
import { isObject } from '../oci/manifest.ts'

/** A chart repository as `helm repo add` keeps it. */
export interface KnownRepository {
  readonly name: string
  /** Without user and query: fit to be written down. */
  readonly address: string
  /** With its query, in which some repositories want a token. */
  readonly url: string
  readonly login?: { readonly username: string; readonly password: string }
}

/** By the name that helm knows it by (`@name`, `alias:name`), or by its address. */
export type ChartRepositories = (written: string) => Promise<KnownRepository | undefined>

/** `@name` and `alias:name`, as the dependencies of a chart write it. */
export const repositoryAlias = (written: string): string | undefined =>
  /^(?:@|alias:)([\w.-]+)$/.exec(written)?.[1]

/**
 * Reads helm's `repositories.yaml`, once: `$HELM_REPOSITORY_CONFIG`, or below helm's own folder.
 * https://helm.sh/docs/helm/helm_repo_add/
 * @param warn called when the file cannot be read; it then counts as empty
 */
export function helmRepositories(env: Env, warn: (message: string) => void): ChartRepositories {
  const file = createOnce<readonly KnownRepository[]>()
  return async (written) => {
    const known = await file('', () => readRepositories(env, warn))
    const alias = repositoryAlias(written)
    if (alias !== undefined) return known.find(({ name }) => name === alias)
    if (!/^https?:/.test(written) || !URL.canParse(written)) return undefined
    const address = bare(new URL(written))
    return known.find((one) => one.address === address)
  }
}

// --- internal ---

/** Thousands of repositories. */
const LIMIT = 4 * 1024 * 1024

async function readRepositories(
  env: Env,
  warn: (message: string) => void,
): Promise<readonly KnownRepository[]> {
  const home = env['HOME'] ?? env['USERPROFILE'] ?? ''
  const config = env['HELM_CONFIG_HOME'] || join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'helm')
  const path = env['HELM_REPOSITORY_CONFIG'] || join(config, 'repositories.yaml')
  try {
    const document = parseDocument(new TextDecoder().decode(await readSmall(path, LIMIT)), { schema: 'core' })
    const content: unknown = document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 0 })
    const listed = isObject(content) ? content['repositories'] : undefined
    return Array.isArray(listed) ? listed.flatMap((entry) => repositoryOf(entry) ?? []) : []
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      warn(`cannot read the chart repositories in ${shownPath(path, home)}: ${whyUnreadable(error)}`)
    return []
  }
}

function repositoryOf(entry: unknown): KnownRepository | undefined {
  if (!isObject(entry)) return undefined
  const { name, url: written } = entry
  if (typeof name !== 'string' || typeof written !== 'string' || !/^https?:/.test(written)) return undefined
  if (!URL.canParse(written)) return undefined
  const url = new URL(written)
  const username = textOf(entry['username']) || decodeURIComponent(url.username)
  const password = textOf(entry['password']) || decodeURIComponent(url.password)
  noteSecret(...[password, ...url.searchParams.values()].filter((secret) => secret !== ''))
  const address = bare(url)
  return {
    name,
    address,
    url: `${address}${url.search}`,
    ...(username === '' && password === '' ? {} : { login: { username, password } }),
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const bare = ({ origin, pathname }: URL): string => `${origin}${pathname.replace(/\/+$/, '')}`
