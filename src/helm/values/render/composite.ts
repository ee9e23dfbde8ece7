import { isMap, type Path, type Values } from '../tree.ts'

/** A reference whose parts stand in several fields; the program that reads the object joins them. */
export interface Composite {
  /** The map that holds the name. */
  readonly path: Path
  readonly text: string
}

interface Around {
  readonly registry?: string
  readonly tag?: string
}

/**
 * References split over fields of one object: `{repository, tag}`, `{registry, repository, version}`,
 * `{repository, image, version}`, or a bare image name under a map with a `hub` and a `tag`.
 */
export function* compositesIn(value: unknown, path: Path = [], around: Around = {}): Iterable<Composite> {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) yield* compositesIn(item, [...path, at], around)
  } else if (isMap(value)) {
    const text = composed(value, around)
    if (text !== undefined) yield { path, text }
    const registry =
      text === undefined ? (field(value, /^(?:image_?)?(?:hub|registry)$/i) ?? around.registry) : undefined
    const tag = field(value, /^(?:image_?)?tag$/i) ?? around.tag
    const next = {
      ...(registry === undefined ? {} : { registry }),
      ...(tag === undefined ? {} : { tag }),
    }
    for (const [key, inner] of Object.entries(value)) yield* compositesIn(inner, [...path, key], next)
  }
}

// --- internal ---

const NAME = /^[a-z0-9][a-z0-9._/-]*$/
const HOSTED = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?(?:\/|$)|\//

function field(map: Values, pattern: RegExp): string | undefined {
  const key = Object.keys(map).find((name) => pattern.test(name))
  const value = key === undefined ? undefined : map[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function composed(map: Values, around: Around): string | undefined {
  const version = field(map, /^(?:image_?)?(?:tag|version)$/i)
  const digest = field(map, /^(?:image_?)?digest$/i)
  const registry = field(map, /^(?:image_?)?(?:registry|hub)$/i)
  const repository = field(map, /^(?:image_?)?(?:repository|repo)$/i)
  const image = field(map, /^(?:image|img|imageName|name)$/)
  const end =
    (version === undefined ? '' : `:${version}`) + (digest?.startsWith('sha256:') ? `@${digest}` : '')
  const bare = image !== undefined && NAME.test(image) && !image.includes('/')
  if (
    repository !== undefined &&
    NAME.test(repository.replace(/:\d+\//, '/')) &&
    !repository.includes('://')
  ) {
    const start = registry === undefined ? repository : `${registry}/${repository}`
    const isPath = HOSTED.test(start)
    if (bare && map.image === image && isPath && end !== '') return `${start}/${image}${end}`
    return isPath && end !== '' && map.image === undefined ? start + end : undefined
  }
  const named = field(map, /^name$/)
  if (named?.includes('/') === true && NAME.test(named) && HOSTED.test(named) && end !== '')
    return named + end
  if (!bare || map.image !== image) return undefined
  const hub = registry ?? around.registry
  const tag = version ?? around.tag
  return hub !== undefined && tag !== undefined && HOSTED.test(hub) ? `${hub}/${image}:${tag}` : undefined
}
