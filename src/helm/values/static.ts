import { formatReference, isTag, parseReference } from '../../oci/reference.ts'
import type { Binding, ValuesLeaf, Piece, Recipe, LeafRole } from './binding.ts'
import { chartTree, type Chart } from './chart/files.ts'
import { effectiveValues } from './chart/effective.ts'
import { familiesOf, hasVersion, type Family } from './find/sibling-keys.ts'
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

function* mapsOf(value: unknown, path: Path): Iterable<{ path: Path; map: Values }> {
  if (isMap(value)) {
    yield { path, map: value }
    for (const [key, inner] of Object.entries(value)) yield* mapsOf(inner, [...path, key])
  } else if (Array.isArray(value)) {
    for (const [at, inner] of value.entries()) yield* mapsOf(inner, [...path, at])
  }
}

function bindingOf(
  values: Values,
  path: Path,
  family: Family,
  appVersion: string | undefined,
): Binding | undefined {
  const text = (role: LeafRole): string | undefined => {
    const key = family.leaves.find(([named]) => named === role)?.[1]
    const value = key === undefined ? undefined : valueAt(values, [...path, key])
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
  }
  const pathOf = (role: LeafRole): Path | undefined => {
    const key = family.leaves.find(([named]) => named === role)?.[1]
    return key === undefined ? undefined : [...path, key]
  }
  const leaves: ValuesLeaf[] = family.leaves.map(([role, key]) => ({
    path: [...path, key],
    role,
    declared: true,
  }))
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
const emptyBinding = (family: Family, leaves: readonly ValuesLeaf[]): Binding => ({
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
  text: (role: LeafRole) => string | undefined,
  pathOf: (role: LeafRole) => Path | undefined,
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
