import type { ImageUse } from '../../../helm/values/binding.ts'
import type { Operands } from '../../../helm/values/operator/operands.ts'
import { normalisedReference } from '../../../helm/values/reference-text.ts'
import type { RenderedDocument } from '../../../helm/values/render/documents.ts'
import { referencesOf } from '../../../helm/values/render/rendered.ts'
import { leavesOf } from '../../../helm/values/tree.ts'
import type { BoundChart } from '../../format/charts/bound-chart.ts'

/** Objects that the user applies beside the charts: above all custom resources, which make controllers run more. */
export interface AppliedObjects {
  /** Of the file they come from. */
  readonly file: string
  readonly documents: readonly RenderedDocument[]
}

/**
 * Adds what a package shows of the images that its controllers run: on demand, once an object asks for them.
 * @param isController some pod of the chart runs all the time
 */
export function withOperands(
  bound: BoundChart,
  operands: Operands | undefined,
  isController: boolean,
): BoundChart {
  if (operands === undefined || !isController) return bound
  const kinds = operands.kinds.filter(({ runsPods }) => runsPods)
  const known = new Set((bound.uses ?? []).map(({ reference }) => reference))
  const names = kinds.map(({ kind }) => kind)
  const when = names.length === 0 ? 'an object of its kinds asks for it' : `a ${names.join(', ')} asks for it`
  const shown = operands.shown
    .filter(({ reference }) => !known.has(reference))
    .map(({ reference, at }): ImageUse => ({ reference, at, need: 'on-demand', when }))
  return {
    ...bound,
    ...(bound.uses === undefined ? {} : { uses: [...bound.uses, ...shown] }),
    ...(kinds.length === 0
      ? {}
      : { operands: kinds.map(({ kind, fields }) => ({ kind, fields: [...fields] })) }),
  }
}

/**
 * Adds what the user's own objects need: the images they name, and of those that a controller picks by version, the
 * ones whose tag ends with a version that the objects name.
 */
export function withObjects(bound: BoundChart, objects: readonly AppliedObjects[]): BoundChart {
  if (objects.length === 0) return bound
  const named = objects.flatMap(({ file, documents }) =>
    referencesOf(documents).map(({ text, kind, name, path }): ImageUse => ({
      reference: normalisedReference(text) ?? text,
      at: `${kind}/${name} ${path} (${file})`,
      need: 'needed',
      applied: true,
    })),
  )
  const versions = objects.flatMap(({ file, documents }) =>
    documents.flatMap(({ kind, name, object }) =>
      [...leavesOf(object)].flatMap(({ path, value }) =>
        /version$/i.test(String(path.at(-1))) && path.length > 1 && /^v?\d+(?:\.\w+)*$/.test(String(value))
          ? [{ version: String(value), by: `${kind}/${name} (${file})` }]
          : [],
      ),
    ),
  )
  const picked = (bound.uses ?? []).flatMap((use): ImageUse[] => {
    if (use.need !== 'on-demand' || use.when?.endsWith('asks for it') !== true) return []
    const tag = /:([^:/@]+)(?:@|$)/.exec(use.reference)?.[1] ?? ''
    const asked = versions.find(({ version }) => tag === version || tag.endsWith(`-${version}`))
    if (asked === undefined) return []
    const { when: _when, ...rest } = use
    return [{ ...rest, need: 'needed', at: `${use.at}, for ${asked.by}` }]
  })
  const taken = new Set(picked.map(({ reference }) => reference))
  const others = (bound.uses ?? []).filter(
    ({ reference, need }) => need !== 'on-demand' || !taken.has(reference),
  )
  return { ...bound, uses: [...named, ...picked, ...others] }
}

/**
 * Which chart answers for which of the objects: the one that defines their kind. What no chart defines is left to the
 * last resort.
 * @returns the objects by chart, and the kinds that no chart defines
 */
export function shareObjects(
  objects: readonly AppliedObjects[],
  kindsOf: ReadonlyMap<string, ReadonlySet<string>>,
  lastResort: string,
): {
  readonly byChart: ReadonlyMap<string, readonly AppliedObjects[]>
  readonly unclaimed: readonly string[]
} {
  const byChart = new Map<string, AppliedObjects[]>()
  const unclaimed = new Set<string>()
  for (const { file, documents } of objects) {
    const shares = Map.groupBy(documents, ({ kind }) => {
      const owner = [...kindsOf].find(([, kinds]) => kinds.has(kind))?.[0]
      if (owner === undefined) unclaimed.add(kind)
      return owner ?? lastResort
    })
    for (const [chart, own] of shares)
      byChart.set(chart, [...(byChart.get(chart) ?? []), { file, documents: own }])
  }
  return { byChart, unclaimed: [...unclaimed] }
}
