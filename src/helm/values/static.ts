import { formatReference, isTag, parseReference } from '../../oci/reference.ts'
import type { Binding, Leaf, Piece, Recipe, Role } from './binding.ts'
import { chartTree, type Chart } from './chart-files.ts'
import { effectiveValues } from './effective.ts'
import { isImageKey, looksLikeReference } from './reference-text.ts'
import { isMap, valueAt, type Path, type Values } from './tree.ts'

/**
 * Finds the places in a chart's values that name an image by their keys and contents alone, without rendering.
 * Every binding it returns is unproven: a key may be dead, and what a template does with it is not known.
 */
export function findStatic(chart: Chart, layers: readonly Values[] = []): Binding[] {
  const values = effectiveValues(chart, layers)
  const owners = [...chartTree(chart)].toReversed()
  const appVersionAt = (path: Path): string | undefined =>
    owners.find(({ prefix }) => prefix.every((key, at) => path[at] === key))?.chart.metadata.appVersion
  const found: Binding[] = []
  for (const { path, map } of mapsOf(values, [])) {
    for (const family of familiesOf(map, path)) {
      const binding = bindingOf(values, path, family, appVersionAt(path))
      if (binding !== undefined) found.push(binding)
    }
  }
  return found
}

// --- internal ---

/** The keys of one map that together make one reference. */
interface Family {
  readonly at: Path
  readonly leaves: readonly (readonly [Role, string])[]
}

function* mapsOf(value: unknown, path: Path): Iterable<{ path: Path; map: Values }> {
  if (isMap(value)) {
    yield { path, map: value }
    for (const [key, inner] of Object.entries(value)) yield* mapsOf(inner, [...path, key])
  } else if (Array.isArray(value)) {
    for (const [at, inner] of value.entries()) yield* mapsOf(inner, [...path, at])
  }
}

const REPOSITORY = /^(.*?)(?:repository|repo)$/i
const GENERIC_IMAGE = /^(?:image|img|name|imagename|image_name)$/i

function familiesOf(map: Values, path: Path): Family[] {
  const keys = Object.keys(map)
  const underImage = path.some((step) => typeof step === 'string' && isImageKey(step))
  const taken = new Set<string>()
  const families: Family[] = []
  const sibling = (prefix: string, pattern: RegExp): string | undefined =>
    keys.find((key) => {
      const rest = key.startsWith(prefix) ? key.slice(prefix.length) : undefined
      return rest !== undefined && pattern.test(rest) && isScalar(map[key])
    })
  const add = (prefix: string, main: readonly [Role, string], flat: boolean): void => {
    const leaves: (readonly [Role, string])[] = []
    const registry = sibling(prefix, /^(?:image_?|container_?)?registry$/i)
    if (registry !== undefined && main[0] !== 'reference') leaves.push(['registry', registry])
    leaves.push(main)
    const name =
      main[0] === 'repository'
        ? (sibling(prefix, /^(?:image_?)?name$/i) ??
          (prefix === '' && main[1].toLowerCase() !== 'image' ? sibling('', /^image$/i) : undefined))
        : undefined
    const named = name === undefined ? '' : map[name]
    if (
      name !== undefined &&
      (underImage || name === 'image') &&
      typeof named === 'string' &&
      /^[a-z0-9][a-z0-9._-]*$/.test(named)
    )
      leaves.push(['name', name])
    const tag =
      sibling(prefix, /^(?:image_?)?tag$/i) ??
      (underImage || name === 'image' ? sibling(prefix, /^version$/i) : undefined)
    if (tag !== undefined) leaves.push(['tag', tag])
    const digest = sibling(prefix, /^(?:image_?)?(?:digest|sha|sha256)$/i)
    if (digest !== undefined) leaves.push(['digest', digest])
    for (const [, key] of leaves) taken.add(key)
    families.push({ at: flat && prefix !== '' ? [...path, main[1]] : path, leaves })
  }
  for (const key of keys) {
    const prefix = REPOSITORY.exec(key)?.[1]
    const value = map[key]
    if (prefix === undefined || !(typeof value === 'string' || (value === null && underImage))) continue
    // A knob that other images fall back on, not an image of its own.
    if (/^default/i.test(prefix) && !(value ?? '').includes('/')) continue
    const tagged = sibling(prefix, /^(?:image_?)?(?:tag|version)$/i) !== undefined
    if (/:\/\//.test(value ?? '')) continue
    if (underImage || isImageKey(key) || (tagged && isNameText(value ?? '')))
      add(prefix, ['repository', key], true)
  }
  for (const key of keys) {
    const value = map[key]
    if (taken.has(key) || typeof value !== 'string' || value === '') continue
    const prefix = key.replace(/image$/i, '')
    const tagged = sibling(key, /^_?(?:tag|version)$/i) ?? sibling(prefix, /^_?tag$/i)
    if (
      GENERIC_IMAGE.test(key) &&
      tagged !== undefined &&
      !hasVersion(value) &&
      isNameText(value, underImage)
    )
      add(prefix, ['repository', key], false)
    else if (/image_?prefix$/i.test(key) || (isImageKey(key) && /image$/i.test(key) && isNameText(value)))
      families.push({ at: [...path, key], leaves: [['reference', key]] })
    else if (looksLikeReference(value)) families.push({ at: [...path, key], leaves: [['reference', key]] })
  }
  return families
}

const isScalar = (value: unknown): boolean =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value)

const hasVersion = (text: string): boolean => /[:@]/.test(text.slice(text.lastIndexOf('/') + 1))

/** Could be `registry/repository`, with or without a version. */
function isNameText(text: string, single = false): boolean {
  if (!/^[a-z0-9][a-z0-9._/:@-]*$/.test(text) || text.includes('://')) return false
  return single || text.includes('/') || hasVersion(text)
}

function bindingOf(
  values: Values,
  path: Path,
  family: Family,
  appVersion: string | undefined,
): Binding | undefined {
  const text = (role: Role): string | undefined => {
    const key = family.leaves.find(([named]) => named === role)?.[1]
    const value = key === undefined ? undefined : valueAt(values, [...path, key])
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
  }
  const pathOf = (role: Role): Path | undefined => {
    const key = family.leaves.find(([named]) => named === role)?.[1]
    return key === undefined ? undefined : [...path, key]
  }
  const leaves: Leaf[] = family.leaves.map(([role, key]) => ({ path: [...path, key], role, declared: true }))
  const whole = text('reference')
  if (whole === undefined && (text('repository') ?? '') === '') return emptyBinding(family, leaves)
  const made =
    whole === undefined ? shapeOfMap(text, pathOf, appVersion) : shapeOfText(whole, pathOf('reference'))
  if (made === undefined) return undefined
  return {
    path: family.at,
    leaves,
    reference: made.reference,
    references: [made.reference],
    where: 'image',
    at: [],
    proven: false,
    ...(made.stem ? { stem: true } : {}),
    recipes: [made.recipe],
  }
}

/** A place for an image that names none yet, or takes its name from another key: only a render can tell. */
const emptyBinding = (family: Family, leaves: readonly Leaf[]): Binding => ({
  path: family.at,
  leaves,
  reference: '',
  references: [],
  where: 'image',
  at: [],
  proven: false,
  note: 'the repository is empty in values',
  recipes: [],
})

interface Made {
  readonly reference: string
  readonly recipe: Recipe
  readonly stem?: boolean
}

function shapeOfText(text: string, leaf: Path | undefined): Made | undefined {
  if (leaf === undefined) return undefined
  if (/[-_/]$/.test(text)) {
    const reference = normalised(`${text}x`)
    if (reference === undefined) return undefined
    return {
      reference: reference.replace(/x:latest$/, ''),
      stem: true,
      recipe: { shape: { name: [{ text, leaf }], tag: [], digest: [] } },
    }
  }
  const reference = normalised(text)
  return reference === undefined ? undefined : { reference, recipe: { shape: wholeShape(text, leaf) } }
}

/** All parts of a reference come out of one leaf. */
function wholeShape(text: string, leaf: Path): Recipe['shape'] {
  const [before = '', digest] = text.split('@')
  const colon = before.lastIndexOf(':')
  const tagged = colon > before.lastIndexOf('/')
  return {
    name: [{ text: tagged ? before.slice(0, colon) : before, leaf }],
    tag: tagged ? [{ text: before.slice(colon + 1), leaf }] : [],
    digest: digest === undefined ? [] : [{ text: digest, leaf }],
  }
}

function shapeOfMap(
  text: (role: Role) => string | undefined,
  pathOf: (role: Role) => Path | undefined,
  appVersion: string | undefined,
): Made | undefined {
  const repository = text('repository')
  const repositoryPath = pathOf('repository')
  if (repository === undefined || repository === '' || repositoryPath === undefined) return undefined
  const registryPath = pathOf('registry')
  const name: Piece[] = []
  if (registryPath !== undefined)
    name.push({ text: text('registry') ?? '', leaf: registryPath }, { text: '/' })
  name.push({ text: repository, leaf: repositoryPath })
  const last = text('name')
  const lastPath = pathOf('name')
  if (last !== undefined && lastPath !== undefined) name.push({ text: '/' }, { text: last, leaf: lastPath })
  const tag = text('tag') ?? ''
  const tagPath = pathOf('tag')
  const digestPath = pathOf('digest')
  const fallback = appVersion !== undefined && isTag(appVersion) ? appVersion : ''
  const joined = name
    .map((piece) => piece.text)
    .join('')
    .replace(/^\//, '')
  const reference = normalised(
    joined + (hasVersion(joined) || (tag || fallback) === '' ? '' : `:${tag || fallback}`),
  )
  if (reference === undefined) return undefined
  const tagPieces: Piece[] =
    tag !== '' && tagPath !== undefined
      ? [{ text: tag, leaf: tagPath }]
      : fallback === ''
        ? []
        : [{ text: fallback }]
  return {
    reference,
    recipe: {
      shape: { name, tag: tagPieces, digest: [] },
      ...(tagPath !== undefined && tag === '' ? { tag: { path: tagPath, before: '', after: '' } } : {}),
      ...(digestPath === undefined ? {} : { digest: { path: digestPath, before: '', after: '' } }),
    },
  }
}

function normalised(text: string): string | undefined {
  try {
    return formatReference(parseReference(text))
  } catch {
    return undefined
  }
}
