import { BundleError, usageError } from '../lib/errors.ts'
import { canonicalRegistry } from '../oci/alias.ts'
import { parseReference, type Reference } from '../oci/reference.ts'

/**
 * Where to ask first: a registry, or a path on it (`quay.io/jetstack`), or the URL of a chart repository, to the
 * places that hold a copy, in order.
 */
export type Mirrors = ReadonlyMap<string, readonly string[]>

/**
 * Parses `docker.io=mirror.gcr.io,public.ecr.aws/docker`, once per text; the same origin given again adds to it.
 * @throws a usage error
 */
export function parseMirrors(texts: readonly string[]): Mirrors {
  return mergeMirrors(...texts.map((text) => new Map([parseMirror(text)])))
}

/** All of them; of one origin, those of the first argument are asked first. */
export function mergeMirrors(...all: readonly Mirrors[]): Mirrors {
  const merged = new Map<string, readonly string[]>()
  for (const mirrors of all) {
    for (const [origin, places] of mirrors) {
      const key = isUrl(origin) ? origin : originKey(origin)
      merged.set(key, [...new Set([...(merged.get(key) ?? []), ...places])])
    }
  }
  return merged
}

/**
 * The places to ask for an image, in order; the origin is the last. `docker.io=public.ecr.aws/docker` makes
 * `docker.io/library/nginx` `public.ecr.aws/docker/library/nginx`; `quay.io/jetstack=registry.example/mirror` makes
 * `quay.io/jetstack/x` `registry.example/mirror/x`. The most specific origin comes first.
 */
export function candidates(reference: Reference, mirrors: Mirrors): readonly Reference[] {
  const name = `${canonicalRegistry(reference.registry)}/${reference.repository}`
  const fitting = [...mirrors]
    .filter(([origin]) => !isUrl(origin) && isBelow(name, originKey(origin)))
    .toSorted(([one], [other]) => other.length - one.length)
  const places = fitting.flatMap(([origin, mirrored]) =>
    mirrored
      .filter((place) => !isUrl(place))
      .map((place) => `${place}${name.slice(originKey(origin).length)}`),
  )
  const found = places.map((place): Reference => {
    const { registry, repository } = parseReference(place)
    return { ...reference, registry, repository }
  })
  const known = new Set<string>()
  return [...found, reference].filter((place) => {
    const key = `${place.registry}/${place.repository}`
    if (known.has(key)) return false
    known.add(key)
    return true
  })
}

/** The same for a URL of a chart repository: `https://charts.example=https://nexus.example/repository/charts`. */
export function urlCandidates(url: string, mirrors: Mirrors): readonly string[] {
  const places = [...mirrors]
    .filter(([origin]) => isUrl(origin) && isBelow(url, trimmed(origin)))
    .toSorted(([one], [other]) => other.length - one.length)
    .flatMap(([origin, mirrored]) =>
      mirrored.filter(isUrl).map((place) => `${trimmed(place)}${url.slice(trimmed(origin).length)}`),
    )
  return [...new Set([...places, url])]
}

// --- internal ---

const NEXT = 'write --mirror origin=mirror[,mirror…], as in docker.io=mirror.gcr.io,public.ecr.aws/docker'

function parseMirror(text: string): [string, readonly string[]] {
  const at = text.indexOf('=')
  const origin = text.slice(0, Math.max(at, 0)).trim()
  const places = text
    .slice(at + 1)
    .split(',')
    .map((place) => place.trim())
  if (/@/.test(text))
    throw usageError('a mirror has no login in its address', {
      next: 'write the address alone, and log in with docker login, or with --username host=name and --password-stdin',
    })
  if (origin === '' || places.includes('')) throw usageError(`not a mirror: "${text}"`, { next: NEXT })
  for (const place of [origin, ...places]) {
    if (isUrl(place) !== isUrl(origin)) {
      throw usageError(
        `not a mirror: "${text}": a registry has registries as mirrors, a chart repository has URLs`,
        {
          next: NEXT,
        },
      )
    }
    if (isUrl(place) ? !URL.canParse(place) : !isPlace(place)) {
      throw usageError(`not a mirror: "${text}": "${place}" is neither host[/path] nor a URL`, { next: NEXT })
    }
  }
  return [origin, places.map(trimmed)]
}

const isUrl = (text: string): boolean => /^https?:\/\//.test(text)

const trimmed = (text: string): string => text.replace(/\/+$/, '')

/** A host, perhaps with a path. A lone word would be taken for an image on Docker Hub. */
function isPlace(place: string): boolean {
  const [host = ''] = place.split('/')
  if (!/[.:]/.test(host) && host !== 'localhost') return false
  try {
    parseReference(`${trimmed(place)}/x`)
    return true
  } catch (error) {
    if (error instanceof BundleError) return false
    throw error
  }
}

function originKey(origin: string): string {
  const [host = '', ...path] = trimmed(origin).split('/')
  return [canonicalRegistry(host), ...path].join('/')
}

const isBelow = (name: string, origin: string): boolean => name === origin || name.startsWith(`${origin}/`)
