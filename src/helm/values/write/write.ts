import { parseReference, repositoryName, type Reference } from '../../../oci/reference.ts'
import { piecesText, type Binding, type Recipe } from '../binding.ts'
import { stemDestination, type Destinations } from './destination.ts'
import { solveDigest, solveName, solveTag } from './solve.ts'
import { pathText, type Path } from '../tree.ts'

/** One line of the override: a leaf, its value and what it is for. */
export interface Assignment {
  readonly path: Path
  readonly value: string | boolean
  readonly references: readonly string[]
  /** Why it is written, when it makes no reference itself. */
  readonly note?: string
}

export interface NotWritten {
  readonly binding: Binding
  readonly reason: string
}

export interface WrittenAssignments {
  readonly assignments: readonly Assignment[]
  readonly refused: readonly NotWritten[]
}

export interface WriteOptions extends Destinations {
  /** Which of a binding's recipes to use; the first unless a render showed that it does not land. */
  readonly recipeOf?: (binding: Binding) => Recipe | undefined
  /** Switches to write whatever the bindings say. */
  readonly consents?: readonly Path[]
}

/**
 * The leaves to set so that every binding's reference becomes its destination: the private prefix goes before the
 * value of the first leaf of the name, tag and digest only where the destination's differ. Two bindings that share a
 * leaf but want different values of it are distinguished by their further leaves; failing that the later is refused.
 */
export function assignmentsFor(bindings: readonly Binding[], options: WriteOptions): WrittenAssignments {
  const wanted = new Map<string, { path: Path; value: string; references: string[] }>()
  const refused: NotWritten[] = []
  const forced = (path: Path): string | undefined => wanted.get(pathText(path))?.value
  for (const binding of bySharing(bindings)) {
    if (binding.references.length === 0) continue
    const recipe = (options.recipeOf ?? firstRecipe)(binding)
    if (recipe === undefined) {
      refused.push({ binding, reason: 'no way to write it landed' })
      continue
    }
    const solved = solveAll(binding, recipe, options, forced)
    if (typeof solved === 'string') {
      refused.push({ binding, reason: solved })
      continue
    }
    for (const [key, { path, value }] of solved) {
      const before = wanted.get(key)
      if (before === undefined) wanted.set(key, { path, value, references: [...binding.references] })
      else before.references.push(...binding.references)
    }
  }
  const consents =
    wanted.size === 0
      ? []
      : [...(options.consents ?? []), ...bindings.flatMap((binding) => binding.consents ?? [])]
  const assignments: Assignment[] = [...wanted.values()].map(({ path, value, references }) => ({
    path,
    value,
    references: [...new Set(references)],
  }))
  for (const path of new Map(consents.map((one) => [pathText(one), one])).values())
    assignments.push({ path, value: true, references: [], note: CONSENT })
  return {
    assignments: assignments.toSorted((a, b) => (pathText(a.path) < pathText(b.path) ? -1 : 1)),
    refused,
  }
}

// --- internal ---

const CONSENT = 'the chart asks for this before it takes another registry'

type Solution = Map<string, { path: Path; value: string }>

const firstRecipe = ({ recipes }: Binding): Recipe | undefined => recipes[0]

/** Bindings whose leading leaf serves many come first: the others then adapt to it. */
function bySharing(bindings: readonly Binding[]): Binding[] {
  const uses = new Map<string, number>()
  const lead = (binding: Binding): string => {
    const path = binding.recipes[0]?.shape.name.find(({ leaf }) => leaf !== undefined)?.leaf
    return path === undefined ? '' : pathText(path)
  }
  for (const binding of bindings) uses.set(lead(binding), (uses.get(lead(binding)) ?? 0) + 1)
  const depth = (binding: Binding): number => (binding.reference.match(/\//g) ?? []).length
  return bindings.toSorted(
    (a, b) =>
      (uses.get(lead(b)) ?? 0) - (uses.get(lead(a)) ?? 0) ||
      depth(b) - depth(a) ||
      (pathText(a.path) < pathText(b.path) ? -1 : 1),
  )
}

function solveAll(
  binding: Binding,
  recipe: Recipe,
  options: WriteOptions,
  forced: (path: Path) => string | undefined,
): Solution | string {
  const solution: Solution = new Map()
  const set = (path: Path, value: string): string | undefined => {
    const key = pathText(path)
    const other = solution.get(key)?.value ?? forced(path)
    if (other !== undefined && other !== value)
      return `${key} would have to be both "${other}" and "${value}", because several images are made from it`
    solution.set(key, { path, value })
    return undefined
  }
  // Only the first reference's texts are known piece by piece; the others differ in a template's own text.
  const [reference] = binding.references
  const reason =
    reference === undefined
      ? undefined
      : solveOne(recipe, reference, targetOf(binding, reference, recipe, options), options, set, forced)
  return reason ?? solution
}

interface Target extends Pick<Reference, 'tag' | 'digest'> {
  /** Registry and repository, or the beginning of them. */
  readonly name: string
}

function targetOf(
  { stem }: Binding,
  reference: string,
  { shape }: Recipe,
  { destinationOf }: WriteOptions,
): Target {
  if (stem !== true) {
    const target = parseReference(destinationOf(reference))
    return { ...target, name: repositoryName(target) }
  }
  const name = (stemDestination(reference, destinationOf) ?? reference).replace(/\/$/, '')
  return { name: piecesText(shape.name).endsWith('/') ? `${name}/` : name }
}

function solveOne(
  { shape, tag, digest }: Recipe,
  reference: string,
  target: Target,
  { digestOf }: WriteOptions,
  put: (path: Path, value: string) => string | undefined,
  forced: (path: Path) => string | undefined,
): string | undefined {
  const first = shape.name.find(({ leaf }) => leaf !== undefined)
  const lead = first?.leaf
  if (lead === undefined) return 'the name is written in the template'
  const { name } = target
  const set = (path: Path, value: string): string | undefined =>
    put(path, same(path, lead) ? (first?.scheme ?? '') + value : value)
  const pinned = digestOf?.(reference) ?? target.digest
  // One leaf holds the whole reference.
  if (
    shape.name.length === 1 &&
    [...shape.tag, ...shape.digest].some(({ leaf }) => leaf !== undefined && same(leaf, lead))
  ) {
    const kept = shape.tag.length > 0 || pinned === undefined ? (target.tag ?? '') : ''
    return set(lead, name + (kept === '' ? '' : `:${kept}`) + (pinned === undefined ? '' : `@${pinned}`))
  }
  const values = solveName(shape.name, name, forced)
  if (values === undefined) return `no value of ${pathText(lead)} makes the name ${name}`
  for (const { path, value } of values) {
    const reason = set(path, value)
    if (reason !== undefined) return reason
  }
  return (
    solveTag(shape.tag, tag, target, set) ??
    (pinned === undefined || pinned === piecesText(shape.digest)
      ? undefined
      : solveDigest(shape.digest, digest, pinned, set))
  )
}

const same = (a: Path, b: Path): boolean => pathText(a) === pathText(b)
