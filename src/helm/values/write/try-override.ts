import type { Binding, Recipe } from '../binding.ts'
import type { Chart } from '../chart/files.ts'
import { effectiveValues } from '../chart/effective.ts'
import { grow } from '../render/largest-working-set.ts'
import type { HelmRenderer } from '../render/helm.ts'
import { overrideValues } from '../override.ts'
import type { Search } from '../search.ts'
import { leavesOf, type Path, type Values } from '../tree.ts'
import type { Destinations } from './destination.ts'
import { misses, stagesOf, type OtherMode, type Stage } from './stages.ts'
import { assignmentsFor, type Assignment, type NotWritten, type WrittenAssignments } from './write.ts'

export interface TriedOverride {
  /** Every one of them was rendered and gives the private reference. */
  readonly assignments: readonly Assignment[]
  readonly values: Values
  /** The bindings written, each with the recipe that landed first. */
  readonly bindings: readonly Binding[]
  /** Reported, not written. */
  readonly notLanded: readonly NotWritten[]
  /** Other references that a bound place makes in other modes of the chart, where the override is wrong. */
  readonly elsewhere: readonly OtherMode[]
}

/**
 * Writes the override and renders it, in every variant of the search. A binding whose references do not all become
 * their destinations is written by its next recipe; when none is left it is searched for once more, and else not
 * written at all.
 */
export async function landOverride(
  chart: Chart,
  layers: readonly Values[],
  search: Search,
  renderer: HelmRenderer,
  destinations: Destinations,
): Promise<TriedOverride> {
  const landed = await land(chart, layers, search, renderer, destinations)
  const isLost = ({ binding: { proven } }: NotWritten): boolean => proven
  if (search.again === undefined || !landed.notLanded.some(isLost)) return landed
  const wider = await land(chart, layers, await search.again(), renderer, destinations)
  return wider.notLanded.filter(isLost).length < landed.notLanded.filter(isLost).length ? wider : landed
}

// --- internal ---

async function land(
  chart: Chart,
  layers: readonly Values[],
  search: Search,
  renderer: HelmRenderer,
  destinations: Destinations,
): Promise<TriedOverride> {
  const base = effectiveValues(chart, layers)
  const ways = new Map<Binding, readonly Recipe[]>()
  for (const binding of search.bindings) {
    if (binding.proven && binding.references.length > 0) ways.set(binding, waysOf(binding, destinations))
  }
  const chosen = new Map<Binding, number>([...ways.keys()].map((binding) => [binding, 0]))
  const reasons = new Map<Binding, string>()
  const recipeOf = (binding: Binding): Recipe | undefined => ways.get(binding)?.[chosen.get(binding) ?? -1]
  const consents: Path[] = []
  const write = (bindings: Iterable<Binding>): WrittenAssignments =>
    assignmentsFor([...bindings], { ...destinations, recipeOf, consents })
  const stages = await stagesOf(layers, search, renderer)
  const elsewhere = new Map<string, OtherMode>()

  let written = write(chosen.keys())
  const consent = await consentOf(written, stages, base)
  if (consent !== undefined) {
    consents.push(consent)
    written = write(chosen.keys())
  }
  let landed = new Set<Binding>()
  let changed: readonly Binding[] = []
  for (let round = 0; ; round += 1) {
    const failed = new Map(written.refused.map(({ binding, reason }) => [binding, reason]))
    for (const stage of stages) {
      const rendered = await stage.render(overrideValues(written.assignments, base))
      if (rendered.ok) misses(rendered, stage, search, destinations, failed, elsewhere)
      else
        for (const binding of await culprits([...chosen.keys()], stage, write, base))
          failed.set(binding, rendered.message.slice(0, 300))
    }
    const open = [...failed].filter(([binding]) => chosen.has(binding))
    if (open.length === 0) break
    // What landed before and no longer does was spoilt by what was tried since, such as one registry for all.
    const spoilt = open.some(([binding]) => landed.has(binding))
    for (const [binding, reason] of spoilt
      ? changed.map((one) => [one, 'it would change other images'] as const)
      : open) {
      const next = (chosen.get(binding) ?? 0) + 1
      reasons.set(binding, reason)
      if (round < ROUNDS && next < (ways.get(binding)?.length ?? 0)) chosen.set(binding, next)
      else chosen.delete(binding)
    }
    if (!spoilt) {
      landed = new Set([...chosen.keys()].filter((binding) => !failed.has(binding)))
      changed = open.map(([binding]) => binding).filter((binding) => chosen.has(binding))
    } else changed = changed.filter((binding) => chosen.has(binding))
    if (spoilt && changed.length === 0) landed = new Set()
    written = write(chosen.keys())
  }
  const others = [...elsewhere.values()].filter(({ binding }) => chosen.has(binding))
  return {
    assignments: written.assignments,
    values: overrideValues(written.assignments, base),
    bindings: [...chosen.keys()].map((binding) => {
      const lost = others.filter((other) => other.binding === binding).map(({ reference }) => reference)
      return withFirst(binding, recipeOf(binding), consents, lost)
    }),
    notLanded: search.bindings
      .filter((binding) => binding.references.length > 0 && !chosen.has(binding))
      .map((binding) => ({ binding, reason: reasons.get(binding) ?? binding.note ?? 'no render showed it' })),
    elsewhere: others,
  }
}

/** After so many, what does not land is dropped rather than tried in another way. */
const ROUNDS = 8

/**
 * Some charts refuse other registries until a switch says that it is meant: their failure names the switch. It is
 * written when nothing else makes the override render.
 */
async function consentOf(
  written: WrittenAssignments,
  stages: readonly Stage[],
  base: Values,
): Promise<Path | undefined> {
  for (const { render } of stages) {
    const rendered = await render(overrideValues(written.assignments, base))
    if (rendered.ok) continue
    for (const { path, value } of leavesOf(base)) {
      if (value !== false || path.length < 2 || !rendered.message.includes(path.join('.'))) continue
      const consent = { path, value: true, references: [] }
      const again = await render(overrideValues([...written.assignments, consent], base))
      if (again.ok) return path
    }
  }
  return undefined
}

/** A digest that does not land must not cost the binding: each recipe is tried without it too. */
const waysOf = ({ recipes }: Binding, { digestOf }: Destinations): readonly Recipe[] =>
  digestOf === undefined
    ? recipes
    : recipes.flatMap(({ digest, ...plain }) =>
        digest === undefined ? [plain] : [{ ...plain, digest }, plain],
      )

/** The bindings that make a chart fail to render. */
async function culprits(
  bindings: readonly Binding[],
  { render }: Stage,
  write: (bindings: Iterable<Binding>) => WrittenAssignments,
  base: Values,
): Promise<readonly Binding[]> {
  const { rejected } = await grow<Binding, boolean>(
    bindings,
    async (some) => {
      const one = await render(overrideValues(write(some).assignments, base))
      return one.ok ? { ok: true, result: true } : one
    },
    true,
  )
  return rejected
}

const withFirst = (
  binding: Binding,
  recipe: Recipe | undefined,
  consents: readonly Path[],
  lost: readonly string[],
): Binding => ({
  ...binding,
  references: binding.references.filter((reference) => !lost.includes(reference)),
  ...(consents.length === 0 ? {} : { consents }),
  ...(recipe === undefined
    ? {}
    : { recipes: [recipe, ...binding.recipes.filter((other) => other !== recipe)] }),
})
