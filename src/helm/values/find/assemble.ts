import type { Binding, ValuesLeaf, Recipe, LeafRole, Shape, Unreachable, Where } from '../binding.ts'
import { inOrder, recipeOf, uniqueRecipes } from '../write/recipes.ts'
import { lastSegment, normalisedReference } from '../reference-text.ts'
import { leavesOfShape } from './sentinel.ts'
import { stemReference } from '../write/destination.ts'
import { pathText, valueAt, type Path, type Values } from '../tree.ts'
import type { Variant } from '../render/variant.ts'

/** A place that holds a reference, and all that was learned about how it is made. */
export interface Sighted {
  /** `placeKey`: place and name. */
  readonly key: string
  readonly place: string
  readonly text: string | undefined
  readonly where: Where
  readonly hook?: string
  readonly at: string
  readonly variant: Variant
  /** The user's own layers show it. */
  readonly inBase: boolean
  readonly stem?: boolean
  /** In the order they were seen; the first is how the reference is made now. */
  readonly shapes: Shape[]
}

/** Turns places into bindings: what is made from the same leaves is one. */
export function assembleBindings(
  sighted: readonly Sighted[],
  values: Values,
): { bindings: Binding[]; unreachable: Unreachable[]; places: Map<string, Binding> } {
  const groups = new Map<string, Group>()
  const unreachable: Unreachable[] = []
  const users = usersOf(sighted)
  for (const entry of sighted) {
    const shapes = entry.shapes.filter(({ name }) => name.some(({ leaf }) => leaf !== undefined))
    const natural = shapes[0]
    if (natural === undefined) {
      if (entry.text !== undefined && entry.stem !== true) unreachable.push(unreachableOf(entry))
      continue
    }
    const ordered = inOrder(shapes, values)
    const primary = primaryLeaf(shapes, users)
    // A registry without a repository is written like the others, but nothing says what is pulled by it.
    const key = pathText(primary) + (entry.stem === true ? ' stem' : '')
    const group = groups.get(key)
    const recipes = ordered.map((shape) => recipeOf(shape, entry.shapes, entry.text))
    if (group === undefined) groups.set(key, { primary, entries: [entry], recipes, shapes: [...shapes] })
    else {
      group.entries.push(entry)
      group.shapes.push(...shapes)
      if (rank(entry) > rank(group.entries[0])) {
        group.recipes = [...recipes, ...group.recipes]
        group.entries = [entry, ...group.entries.filter((other) => other !== entry)]
      } else group.recipes.push(...recipes)
    }
  }
  const places = new Map<string, Binding>()
  const bindings = named([...groups.values()], values, places)
  return { bindings, unreachable, places }
}

// --- internal ---

interface Group {
  readonly primary: Path
  entries: Sighted[]
  recipes: Recipe[]
  readonly shapes: Shape[]
}

const unreachableOf = ({ text = '', at, hook, shapes, inBase, variant }: Sighted): Unreachable => ({
  reference: normalisedReference(text) ?? text,
  at,
  ...(inBase ? {} : { variant: variant.name }),
  ...(hook === undefined ? {} : { hook }),
  reason: shapes.length > 0 ? 'values change its tag, but not its name' : 'it is written in a template',
})

/** The places each leaf takes part in. */
function usersOf(sighted: readonly Sighted[]): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>()
  for (const { shapes, place } of sighted) {
    for (const { name } of shapes) {
      for (const { leaf } of name) {
        if (leaf === undefined) continue
        const key = pathText(leaf)
        users.set(key, (users.get(key) ?? new Set()).add(place))
      }
    }
  }
  return users
}

/** The leaf that says which image it is: the last of the name, in the shape where it serves fewest places. */
function primaryLeaf(shapes: readonly Shape[], users: ReadonlyMap<string, ReadonlySet<string>>): Path {
  let best: Path = []
  let fewest = Number.POSITIVE_INFINITY
  for (const { name } of shapes) {
    const leaf = name.findLast((piece) => piece.leaf !== undefined)?.leaf
    if (leaf === undefined || leaf[0] === 'global') continue
    const count = users.get(pathText(leaf))?.size ?? 0
    if (count < fewest) {
      best = leaf
      fewest = count
    }
  }
  const first = shapes[0]?.name.findLast((piece) => piece.leaf !== undefined)?.leaf
  return best.length > 0 ? best : (first ?? [])
}

/** Gives each group its path: the map around its leaves, unless that map serves several. */
function named(groups: readonly Group[], values: Values, places: Map<string, Binding>): Binding[] {
  const maps = new Map<string, number>()
  const mapOf = ({ primary, shapes }: Group): Path => {
    const parent = primary.slice(0, -1)
    const key = String(primary.at(-1))
    const inMap = shapes
      .flatMap(leavesOfShape)
      .some(
        (leaf) => pathText(leaf) !== pathText(primary) && pathText(leaf.slice(0, -1)) === pathText(parent),
      )
    const generic =
      /^(?:repository|repo|registry|name|url|reference|ref|path)$/i.test(key) ||
      (inMap && /^(?:image|img|imageName)$/i.test(key))
    return parent.length > 0 && generic && typeof parent.at(-1) !== 'number' ? parent : primary
  }
  for (const group of groups) maps.set(pathText(mapOf(group)), (maps.get(pathText(mapOf(group))) ?? 0) + 1)
  return groups
    .filter((group) => isPlace(group, values))
    .map((group) => {
      const map = mapOf(group)
      const binding = bindingOf(group, maps.get(pathText(map)) === 1 ? map : group.primary, values)
      for (const { key } of group.entries) places.set(key, binding)
      return binding
    })
    .toSorted((a, b) => (pathText(a.path) < pathText(b.path) ? -1 : 1))
}

/** A leaf that values do not declare and that makes no reference now is not a place anyone would look for. */
const isPlace = ({ entries, primary }: Group, values: Values): boolean =>
  entries.some(({ text }) => text !== undefined) || valueAt(values, primary) !== undefined

function bindingOf({ entries, recipes, shapes }: Group, path: Path, values: Values): Binding {
  const leaves = new Map<string, ValuesLeaf>()
  for (const shape of shapes) {
    for (const leaf of leavesOfShape(shape)) {
      const key = pathText(leaf)
      if (!leaves.has(key))
        leaves.set(key, {
          path: leaf,
          role: roleOf(leaf, shape),
          declared: valueAt(values, leaf) !== undefined,
        })
    }
  }
  const texts = entries.flatMap(({ text }) => text ?? [])
  const references = [
    ...new Set(
      entries.flatMap(({ text, stem }) =>
        text === undefined || isUntagged(text, texts)
          ? []
          : [stem === true ? stemReference(text) : (normalisedReference(text) ?? text)],
      ),
    ),
  ]
  const hooks = new Set(entries.map(({ hook }) => hook))
  const [hook] = hooks.size === 1 ? hooks : []
  const first = entries[0]
  return {
    path,
    leaves: [...leaves.values()],
    reference: references[0] ?? '',
    references,
    where: first?.where ?? 'image',
    at: [...new Set(entries.map(({ at }) => at))],
    proven: true,
    ...(hook === undefined ? {} : { hook }),
    ...(entries.some(({ stem }) => stem === true) ? { stem: true } : {}),
    ...(entries.some(({ inBase }) => inBase) || first === undefined ? {} : { variant: first.variant.name }),
    ...(references.length === 0 ? { note: 'empty now: the program decides, or nothing is pulled' } : {}),
    recipes: references.length === 0 ? [] : uniqueRecipes(recipes),
  }
}

/** How well a place shows what is pulled: the user's own layers before variants, a version before none. */
const rank = (entry: Sighted | undefined): number =>
  entry === undefined ? -1 : (/[:@]/.test(lastSegment(entry.text ?? '')) ? 2 : 0) + (entry.inBase ? 1 : 0)

/** A name without a version, where another place has the same name with one: a part, not `latest`. */
const isUntagged = (text: string, texts: readonly string[]): boolean =>
  !/[:@]/.test(lastSegment(text)) &&
  texts.some((other) => other.startsWith(`${text}:`) || other.startsWith(`${text}@`))

function roleOf(leaf: Path, { name, tag, digest }: Shape): LeafRole {
  const is = (piece: { leaf?: Path }): boolean =>
    piece.leaf !== undefined && pathText(piece.leaf) === pathText(leaf)
  const inName = name.some(is)
  if (inName && (tag.some(is) || digest.some(is))) return 'reference'
  if (!inName) return tag.some(is) ? 'tag' : 'digest'
  const own = name.filter((piece) => piece.leaf !== undefined)
  if (own.length === 1) return 'repository'
  const at = own.findIndex(is)
  return at === 0 ? 'registry' : at === own.length - 1 && own.length > 2 ? 'name' : 'repository'
}
