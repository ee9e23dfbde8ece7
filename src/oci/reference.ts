import { usageError } from '../lib/errors.ts'
import { isDigest, type Digest } from './digest.ts'

/** `registry/repository[:tag][@digest]`, completed by Docker Hub's rules. */
export interface Reference {
  /** Host and optional port, as written (`docker.io` for Docker Hub). */
  readonly registry: string
  readonly repository: string
  readonly tag?: string
  readonly digest?: Digest
}

// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/

/**
 * Parses an image reference as docker does: no host means `docker.io`, a single name means `library/…`,
 * neither tag nor digest means `latest`.
 * @throws a usage error that says which part is wrong
 */
export function parseReference(text: string): Reference {
  const fail = (why: string) =>
    usageError(`not an image reference: "${shown(text).slice(0, 300)}": ${why}`, {
      next: 'write [registry/]repository[:tag][@sha256:…], as in quay.io/jetstack/cert-manager-webhook:v1.17.2',
    })
  let rest = text
  let digest: Digest | undefined
  const at = rest.indexOf('@')
  if (at >= 0) {
    const written = rest.slice(at + 1)
    if (isHost(written)) throw fail('a login does not belong into it')
    if (!isDigest(written)) throw fail(`"${written.slice(0, 100)}" is not a sha256 digest`)
    digest = written
    rest = rest.slice(0, at)
  }
  let tag: string | undefined
  const colon = rest.lastIndexOf(':')
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1)
    rest = rest.slice(0, colon)
    if (!TAG.test(tag)) throw fail(`"${tag.slice(0, 150)}" is not a tag`)
  }
  const slash = rest.indexOf('/')
  const first = slash < 0 ? '' : rest.slice(0, slash)
  const hasHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  const registry = hasHost ? canonicalHost(first) : 'docker.io'
  let repository = hasHost ? rest.slice(slash + 1) : rest
  if (registry === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`
  if (!HOST.test(registry)) throw fail(`"${registry}" is not a host`)
  if (!REPOSITORY.test(repository))
    throw fail(`"${repository}" is not a repository name (lower case, digits, . _ - /)`)
  if (registry.length + repository.length > 400) throw fail('it is too long')
  if (tag === undefined && digest === undefined) tag = 'latest'
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  }
}

/** The whole reference; parses back to the same value. */
export const formatReference = (reference: Reference): string =>
  repositoryName(reference) +
  (reference.tag === undefined ? '' : `:${reference.tag}`) +
  (reference.digest === undefined ? '' : `@${reference.digest}`)

/** `registry/repository`. */
export const repositoryName = (reference: Reference): string =>
  `${reference.registry}/${reference.repository}`

export const isTag = (text: string): boolean => TAG.test(text)

export const isRepository = (text: string): boolean => REPOSITORY.test(text)

// --- internal ---

/** What stands behind the `@` of `user:password@host/…`; a digest of any algorithm is none. */
const isHost = (text: string): boolean => /[./]|^localhost\b/.test(text) || /:\d{1,5}$/.test(text)

/** Without a login that somebody wrote in front of a host. */
const shown = (text: string): string => {
  const at = text.lastIndexOf('@')
  return at >= 0 && isHost(text.slice(at + 1)) ? `***${text.slice(at)}` : text
}

/** In lower case, unless upper case is all that tells it from the first part of a repository. */
function canonicalHost(host: string): string {
  const lower = host.toLowerCase()
  if (lower === 'index.docker.io' || lower === 'registry-1.docker.io') return 'docker.io'
  return /[.:]/.test(host) || lower === 'localhost' ? lower : host
}
