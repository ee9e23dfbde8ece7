import { usageError } from '../../lib/errors.ts'
import { plural } from '../../lib/format.ts'
import type { BoundChart } from '../format/charts/bound-chart.ts'
import type { RootContents } from '../format/contents.ts'
import type { MergePart } from './part.ts'

export type Preference = 'first' | 'last'

/** A root of the joined bundle and the part it is taken from. */
export interface Chosen {
  readonly root: RootContents
  readonly part: MergePart
}

/** What is taken from which part. */
export interface Choice {
  readonly chosen: readonly Chosen[]
  /** Charts by `<name>:<version>` that gave way to another version under the same key. */
  readonly lost: ReadonlySet<string>
  readonly bound: readonly BoundChart[]
  /** Parts in the order in which they win. */
  readonly ranked: readonly MergePart[]
}

/**
 * Chooses among parts that say different things of the same name: an image or a file with another digest, a chart that
 * one override can name in one version only, another program, other bindings of a chart.
 * @throws a usage error that names all of it, unless `prefer` names the winner
 */
export function choose(parts: readonly MergePart[], prefer: Preference | undefined): Choice {
  const ranked = prefer === 'last' ? parts.toReversed() : parts
  const conflicts: string[] = []
  const chosen = new Map<string, Chosen>()
  const keys = new Map<string, Chosen>()
  const lost = new Set<string>()
  for (const part of ranked) {
    for (const root of part.contents.roots) {
      const id = `${root.kind} ${root.name}`
      const before = chosen.get(id)
      if (before !== undefined) {
        if (before.root.digest !== root.digest)
          conflicts.push(`${id}: ${described({ root, part })}, ${described(before)}`)
        continue
      }
      const key = root.kind === 'chart' ? (part.keys.get(root.name) ?? root.chart) : undefined
      const other = key === undefined ? undefined : keys.get(key)
      if (other !== undefined && other.part !== part) {
        conflicts.push(
          `chart ${key}: ${root.name} (${described({ root, part })}), ${other.root.name} (${described(other)}); an override names one`,
        )
        lost.add(root.name)
        continue
      }
      if (key !== undefined && other === undefined) keys.set(key, { root, part })
      chosen.set(id, { root, part })
    }
  }
  const bound = chooseBound(ranked, [...chosen.values()], conflicts)
  chooseOthers(ranked, lost, conflicts)
  if (prefer === undefined && conflicts.length > 0) {
    throw usageError(
      `the bundles say different things of ${plural(conflicts.length, 'name')}:\n  ${conflicts.join('\n  ')}`,
      {
        next: 'take --prefer last (or first) to let one of them win, or import them one after the other',
      },
    )
  }
  return { chosen: [...chosen.values()], lost, bound, ranked }
}

// --- internal ---

/** With the platforms of an image that is cut to some: two cuts of one image differ. */
function described({ root, part }: Chosen): string {
  const cut = root.kind === 'image' && root.original !== undefined ? ` (${root.platforms.join(', ')})` : ''
  return `${root.digest}${cut} in ${part.name}`
}

/** What helm showed is better than what the names of keys suggest, whoever says it. */
function chooseBound(
  ranked: readonly MergePart[],
  chosen: readonly Chosen[],
  conflicts: string[],
): readonly BoundChart[] {
  return chosen.flatMap(({ root }) => {
    if (root.kind !== 'chart') return []
    const said = ranked.flatMap((part) =>
      part.contents.bound
        .filter(({ chart, version }) => chart === root.chart && version === root.version)
        .map((bound) => ({ bound, part })),
    )
    const best = said.find(({ bound }) => bound.rendered) ?? said[0]
    if (best === undefined) return []
    const other = said.find(
      ({ bound }) => bound.rendered === best.bound.rendered && !Bun.deepEquals(bound, best.bound),
    )
    if (other !== undefined)
      conflicts.push(
        `image bindings of chart ${root.name}: rendered with other values for ${best.part.name} and ${other.part.name}`,
      )
    return [best.bound]
  })
}

/** What specs write down of the same chart, consumers, and programs. */
function chooseOthers(ranked: readonly MergePart[], lost: ReadonlySet<string>, conflicts: string[]): void {
  const said = new Map<string, { readonly value: unknown; readonly part: MergePart }>()
  const say = (what: string, value: unknown, part: MergePart): void => {
    const before = said.get(what)
    if (before === undefined) said.set(what, { value, part })
    else if (!Bun.deepEquals(before.value, value))
      conflicts.push(`${what}: one in ${before.part.name}, another in ${part.name}`)
  }
  for (const part of ranked) {
    const { spec, contents } = part
    for (const { kind, name, ...root } of contents.roots) {
      if (kind !== 'chart' || lost.has(name) || !('chart' in root)) continue
      say(`key of chart ${name}`, part.keys.get(name), part)
      for (const what of ['bindings', 'hints'] as const) {
        const value = spec[what].get(root.chart)
        if (value !== undefined) say(`${what} that the spec has for chart ${name}`, value, part)
      }
    }
    if (spec.consumer !== undefined) say('consumer of the spec', spec.consumer, part)
    for (const { path, digest } of contents.programs ?? []) say(`program ${path}`, digest, part)
  }
}
