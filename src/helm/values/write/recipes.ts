import { piecesText, type Recipe, type Shape, type SpareLeaf } from '../binding.ts'
import { lastSegment } from '../reference-text.ts'
import { pathText, valueAt, type Path, type Values } from '../tree.ts'

/** A declared registry next to the repository is the chart's own place for another registry; the rest as seen. */
export function inOrder(shapes: readonly Shape[], values: Values): Shape[] {
  const unique = new Map(shapes.map((shape) => [JSON.stringify(shape), shape]))
  const natural = shapes[0]
  const own = [...unique.values()].find(({ name }) => {
    const lead = name[0]?.leaf
    const next = name.find(({ leaf }, at) => at > 0 && leaf !== undefined)?.leaf
    if (lead === undefined || next === undefined || lead[0] === 'global') return false
    const sibling = pathText(lead.slice(0, -1)) === pathText(next.slice(0, -1))
    const same = natural?.name.findLast(({ leaf }) => leaf !== undefined)?.leaf
    return (
      sibling &&
      /registry/i.test(String(lead.at(-1))) &&
      valueAt(values, lead) !== undefined &&
      same !== undefined &&
      pathText(same) === pathText(next)
    )
  })
  const rest = [...unique.values()].filter((shape) => shape !== own)
  return own === undefined ? rest : [own, ...rest]
}

/** How to write one shape, given all that was seen at its place and what it reads now. */
export function recipeOf(shape: Shape, all: readonly Shape[], text: string | undefined): Recipe {
  const tag = shape.tag.some(({ leaf }) => leaf !== undefined && !emptyLeaf(shape.tag, leaf))
    ? undefined
    : spareOf(all, 'tag')
  const digest = shape.digest.some(({ leaf }) => leaf !== undefined) ? undefined : spareOf(all, 'digest')
  const current = all[0] ?? shape
  const [only, ...others] = shape.name
  // Once set, this leaf leaves no room for the tag there is now: it is the whole reference.
  if (only?.leaf !== undefined && others.length === 0 && only.text === '' && shape.tag.length === 0) {
    const { tag: now } = versionNow({ ...shape, tag: [] }, text)
    if (now.length > 0)
      return {
        shape: {
          ...shape,
          tag: now.map((piece) => ({ ...piece, ...(only.leaf === undefined ? {} : { leaf: only.leaf }) })),
        },
      }
  }
  return {
    shape: { ...shape, ...versionNow(current, text) },
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined
      ? {}
      : { digest: { ...digest, ...(replacesTag(all) ? { replacesTag: true } : {}) } }),
  }
}

/** Recipes that differ in more than a template's own text. */
export function uniqueRecipes(recipes: readonly Recipe[]): Recipe[] {
  const leaves = ({ shape }: Recipe): string =>
    JSON.stringify(
      shape.name.map(({ leaf, text }) => (leaf === undefined ? (text === '/' ? '/' : '…') : pathText(leaf))),
    )
  const unique = new Map<string, Recipe>()
  for (const recipe of recipes) if (!unique.has(leaves(recipe))) unique.set(leaves(recipe), recipe)
  return [...unique.values()]
}

// --- internal ---

/** Tag and digest as they are without any mark: an empty leaf gives none, whatever it would give once set. */
function versionNow({ tag, digest }: Shape, text = ''): Pick<Shape, 'tag' | 'digest'> {
  const [, tagNow = '', digestNow = ''] = /^[^:@]*(?::([^@]*))?(?:@(.*))?$/.exec(lastSegment(text)) ?? []
  const literal = (now: string): Shape['tag'] => (now === '' ? [] : [{ text: now }])
  return {
    tag: piecesText(tag) === tagNow ? tag : literal(tagNow),
    digest: piecesText(digest) === digestNow ? digest : literal(digestNow),
  }
}

const emptyLeaf = (pieces: Shape['tag'], leaf: Path): boolean =>
  pieces.some((piece) => piece.leaf === leaf && piece.text === '')

function spareOf(shapes: readonly Shape[], part: 'tag' | 'digest'): SpareLeaf | undefined {
  for (const shape of shapes) {
    const pieces = shape[part]
    const at = pieces.findIndex(({ leaf }) => leaf !== undefined)
    const leaf = pieces[at]?.leaf
    if (leaf !== undefined)
      return { path: leaf, before: piecesText(pieces.slice(0, at)), after: piecesText(pieces.slice(at + 1)) }
  }
  return undefined
}

const replacesTag = (shapes: readonly Shape[]): boolean =>
  shapes.some(({ digest, tag }) => digest.some(({ leaf }) => leaf !== undefined) && tag.length === 0)
