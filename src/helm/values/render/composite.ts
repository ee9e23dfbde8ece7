import { isMap, type Path, type Values } from '../tree.ts'

/** A reference whose parts stand in several fields; the program that reads the object joins them. */
export interface Composite {
  /** The map or list that holds the name, and what the names of the fields begin with. */
  readonly path: Path
  readonly text: string
  /** Registry, repository and name as they stand in their fields: none of them is a reference of its own. */
  readonly parts: readonly string[]
  /** No field holds a tag or a digest. */
  readonly versionless?: true
}

interface Around {
  readonly registry?: string
  readonly tag?: string
}

/**
 * References split over fields of one object: `{repository, tag}`, `{registry, repository, version}`,
 * `{repository, image, version}`, `{url, ref: {tag}}`, a bare image name under a map with a `hub` and a `tag`,
 * `agentImage` beside `agentVersion`, and the same in variables and arguments.
 */
export function* compositesIn(value: unknown, path: Path = [], around: Around = {}): Iterable<Composite> {
  if (Array.isArray(value)) {
    yield* compositesInList(value, path)
    for (const [at, item] of value.entries()) yield* compositesIn(item, [...path, at], around)
  } else if (isMap(value)) {
    let own = false
    for (const [prefix, slots] of slotsOf(Object.entries(value), true)) {
      const found = composed(slots, prefix === '' ? around : {})
      if (found === undefined) continue
      if (prefix === '') own = true
      yield { path: prefix === '' ? path : [...path, prefix], ...found }
    }
    const flux = artifact(value)
    if (flux !== undefined) yield { path, ...flux }
    const registry = own ? undefined : (field(value, /^(?:image_?)?(?:hub|registry)$/i) ?? around.registry)
    const tag = field(value, /^(?:image_?)?tag$/i) ?? around.tag
    const next = {
      ...(registry === undefined ? {} : { registry }),
      ...(tag === undefined ? {} : { tag }),
    }
    for (const [key, inner] of Object.entries(value)) yield* compositesIn(inner, [...path, key], next)
  }
}

/** The same, of the variables and arguments of containers only: pods name their images whole. */
export function* compositesInLists(value: unknown, path: Path = []): Iterable<Composite> {
  if (Array.isArray(value)) {
    yield* compositesInList(value, path)
    for (const [at, item] of value.entries()) yield* compositesInLists(item, [...path, at])
  } else if (isMap(value)) {
    for (const [key, inner] of Object.entries(value))
      if (typeof inner === 'object') yield* compositesInLists(inner, [...path, key])
  }
}

/** References split over the keys of one flat map, such as the data of a config map. */
export function* compositesInKeys(map: Values, path: Path): Iterable<Composite> {
  for (const [prefix, slots] of slotsOf(Object.entries(map), false)) {
    const found = composed(slots, {})
    if (found !== undefined) yield { path: [...path, prefix], ...found }
  }
}

// --- internal ---

type Role = 'registry' | 'repository' | 'image' | 'name' | 'tag' | 'digest'

interface Slots extends Partial<Record<Role, string>> {
  /** The field of the version is called `tag`, which only images have. */
  tagged?: boolean
}

const ROLES: readonly (readonly [RegExp, Role])[] = [
  [
    /^(.*?)[._-]?(?:image[._-]?|container[._-]?)?(?:(?:registry|hub)(?:[._-]?(?:url|host|name))?|repo(?:sitory)?[._-]?url)$/i,
    'registry',
  ],
  [/^(.*?)[._-]?(?:image[._-]?|container[._-]?)?repo(?:sitory)?(?:[._-]?name)?$/i, 'repository'],
  [/^(.*?)[._-]?(?:image|img)(?:[._-]?name)?$/i, 'image'],
  [/^(.*?)[._-]?(?:image[._-]?)?(?:tag|version)$/i, 'tag'],
  [/^(.*?)[._-]?(?:image[._-]?)?(?:digest|sha256)$/i, 'digest'],
]

/** Fields by what their names begin with and the part of a reference that they end with. */
function slotsOf(entries: readonly (readonly [string, unknown])[], named: boolean): Map<string, Slots> {
  const groups = new Map<string, Slots>()
  for (const [key, value] of entries) {
    if ((typeof value !== 'string' && typeof value !== 'number') || value === '') continue
    const [prefix, role] = key === 'name' && named ? ['', 'name' as const] : roleOf(key)
    if (role === undefined) continue
    const slots = groups.get(prefix) ?? {}
    groups.set(prefix, slots)
    slots[role] ??= String(value)
    if (role === 'tag' && /tag$/i.test(key)) slots.tagged = true
  }
  return groups
}

function roleOf(key: string): [string, Role | undefined] {
  for (const [pattern, role] of ROLES) {
    const prefix = pattern.exec(key)?.[1]
    if (prefix !== undefined) return [prefix.toLowerCase(), role]
  }
  return ['', undefined]
}

/** Variables are `{name, value}`; arguments `--flag=value`, or `--flag` and the value after it. */
function* compositesInList(list: readonly unknown[], path: Path): Iterable<Composite> {
  const entries = list.flatMap((item, at): (readonly [string, unknown])[] => {
    if (isMap(item)) return typeof item.name === 'string' && 'value' in item ? [[item.name, item.value]] : []
    const [, flag, value = list[at + 1]] =
      (typeof item === 'string' ? /^--?([A-Za-z][\w.-]*)(?:=(.*))?$/.exec(item) : null) ?? []
    return flag === undefined ? [] : [[flag, value]]
  })
  if (entries.length < 2) return
  for (const [prefix, slots] of slotsOf(entries, false)) {
    const found = composed(slots, {})
    if (found !== undefined) yield { path: [...path, `[${prefix}]`], ...found }
  }
}

const NAME = /^[a-z0-9][a-z0-9._/-]*$/
const HOSTED = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?(?:\/|$)|\//

const isName = (text: string): boolean => NAME.test(text.replace(/^([a-z0-9.-]+):\d+\//, '$1/'))

function field(map: Values, pattern: RegExp): string | undefined {
  const key = Object.keys(map).find((name) => pattern.test(name))
  const value = key === undefined ? undefined : map[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

type Joined = Omit<Composite, 'path'>

function composed(slots: Slots, around: Around): Joined | undefined {
  const { registry, repository, image, name, tag, digest, tagged = false } = slots
  const end = endOf(tag, digest)
  const made = (start: string, parts: readonly (string | undefined)[]): Joined | undefined =>
    isName(start)
      ? {
          text: start + end,
          parts: parts.flatMap((part) => part ?? []),
          ...(end === '' ? { versionless: true } : {}),
        }
      : undefined
  const bare = image !== undefined && NAME.test(image) && !image.includes('/')
  if (repository !== undefined) {
    const start = joined(registry, repository)
    const isPath = HOSTED.test(start)
    if (bare)
      return isPath ? made(`${start.replace(/\/$/, '')}/${image}`, [registry, repository, image]) : undefined
    if (
      image === undefined &&
      isName(start) &&
      (end !== '' ? isPath || tagged : registry !== undefined && isPath)
    )
      return made(start, [registry, repository])
  }
  const whole = [image, name].find(
    (text) => text?.includes('/') === true && isName(text) && HOSTED.test(text),
  )
  if (whole !== undefined) return end === '' ? undefined : made(joined(registry, whole), [registry, whole])
  if (!bare) return undefined
  const hub = registry ?? around.registry
  const version = tag ?? around.tag
  if (hub !== undefined && HOSTED.test(hub))
    return version === undefined && digest === undefined
      ? made(`${hub}/${image}`, [registry, image])
      : { text: `${hub}/${image}${endOf(version, digest)}`, parts: [hub, image] }
  // A single word: whether it is an image of Docker Hub, only the program knows.
  return undefined
}

const endOf = (tag: string | undefined, digest: string | undefined): string =>
  (tag === undefined ? '' : `:${tag}`) + (digest?.startsWith('sha256:') === true ? `@${digest}` : '')

/** A registry goes before a name that has none of its own. */
const joined = (registry: string | undefined, name: string): string =>
  registry === undefined || /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?\//.test(name)
    ? name
    : `${registry}/${name}`

/** An artifact as Flux writes it: `{url: oci://host/path, ref: {tag}}`. */
function artifact({ url, ref }: Values): Joined | undefined {
  const start = typeof url === 'string' ? /^(?:oci|docker):\/\/(.+)$/.exec(url)?.[1] : undefined
  if (start === undefined || !isMap(ref)) return undefined
  const end = endOf(field(ref, /^tag$/), field(ref, /^digest$/))
  return isName(start) && end !== '' ? { text: start + end, parts: [start] } : undefined
}
