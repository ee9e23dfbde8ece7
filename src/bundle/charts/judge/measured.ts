import type { ImageUse } from '../../../helm/values/binding.ts'
import { NEEDS } from '../../../helm/values/uses.ts'
import { parseReference, type Reference } from '../../../oci/reference.ts'
import type { BoundChart } from '../../format/charts/bound-chart.ts'
import type { ChartProof, OpenReference } from '../../format/charts/chart-proof.ts'
import type { RootContents } from '../../format/contents.ts'
import type { ChartRoot } from '../../format/root.ts'
import { knownChart } from '../../spec/bundled.ts'
import { canonicalText, hintsOf } from '../../spec/hints.ts'
import type { BundleSpec, SpecBinding, SpecHint } from '../../spec/spec.ts'
import { createPrivateImages, withAliases } from '../private-images.ts'
import { SOMEWHERE } from '../render.ts'
import { staticChart } from './unrendered.ts'
import { bind } from '../write-known.ts'
import { chartProof } from '../proof.ts'
import type { GivenValues, Install } from './install.ts'
import { aliasesOf } from './judge.ts'

/** A chart that no helm rendered, judged by what was measured for this version. */
export interface MeasuredChart {
  readonly bound: BoundChart
  judge(roots: readonly RootContents[]): ChartProof
}

/** Those of the charts whose places were measured, and are installed with no other values than were measured. */
export function measuredCharts(
  charts: readonly ChartRoot[],
  spec: BundleSpec,
  install: Install,
  given?: GivenValues,
): readonly MeasuredChart[] {
  const isGiven = (given?.consumer.length ?? 0) > 0 || (given?.consumerFiles.length ?? 0) > 0
  const hints = hintsOf(spec)
  return charts.flatMap((root): MeasuredChart[] => {
    const { chart, version, tgz } = root
    const isConsumer = chart === install.consumer?.chart
    const places = isConsumer
      ? (install.consumer?.bindings ?? [])
      : (spec.bindings.get(chart) ?? knownChart(chart, version)?.bindings)
    if (places === undefined || places.length === 0 || isGiven || given?.charts.has(chart) === true) return []
    const consumed = isConsumer ? places : asConsumed(places, chart, spec, install)
    const own = install.of(chart)
    const bound = {
      ...staticChart(tgz, own),
      uses: [...usesOf(consumed), ...literalsOf(hints.get(chart) ?? [])],
    }
    return [{ bound, judge: (roots) => judge(bound, consumed, roots) }]
  })

  function judge(
    bound: BoundChart,
    places: readonly SpecBinding[],
    roots: readonly RootContents[],
  ): ChartProof {
    const { chart } = bound
    const aliases = chart === install.consumer?.chart ? aliasesOf({ bindings: [] }, places) : new Map()
    const images = withAliases(createPrivateImages(roots, SOMEWHERE), aliases)
    const known = hints.get(chart) ?? []
    const names = roots
      .filter(({ kind }) => kind === 'image')
      .map(({ name }): Reference => parseReference(name))
    const { unbound } = bind(places, names, () => SOMEWHERE.registry)
    const isUnbound = (reference: string): boolean =>
      unbound.some((one) => canonicalText(one.reference) === canonicalText(reference))
    const reached = new Set(
      places
        .flatMap(({ reference, also }) => [reference, ...also])
        .filter((one) => !isUnbound(one))
        .map(canonicalText),
    )
    const proof = chartProof(
      { ...bound, bindings: [] },
      { references: [], unrendered: [], failures: [], holds: true },
      {
        hints: known,
        install: install.of(chart),
        isBundled: (reference) => images.rewrite(reference) !== undefined,
      },
    )
    const open = proof.open.filter(({ reference }) => !reached.has(canonicalText(reference)))
    return { ...proof, measured: true, boundCount: bindCount(places, reached), open: sorted(open) }
  }
}

// --- internal ---

const sorted = (open: readonly OpenReference[]): readonly OpenReference[] =>
  open.toSorted((a, b) => NEEDS.indexOf(a.need) - NEEDS.indexOf(b.need))

const bindCount = (places: readonly SpecBinding[], reached: ReadonlySet<string>): number =>
  places.filter(({ reference, off }) => !off && reached.has(canonicalText(reference))).length

/** What the consumer's own values are known to make of a chart's images. */
function asConsumed(
  places: readonly SpecBinding[],
  chart: string,
  spec: BundleSpec,
  { consumer }: Install,
): readonly SpecBinding[] {
  const key = spec.groups.flatMap((group) => group.charts).find(({ name }) => name === chart)?.key ?? chart
  const sets = consumer?.sets.get(key) ?? []
  return places.map((place) => {
    const set = sets.find(({ path }) => path === place.path)
    return set === undefined ? place : { ...place, reference: set.reference, off: set.off ?? place.off }
  })
}

const usesOf = (places: readonly SpecBinding[]): readonly ImageUse[] =>
  places.flatMap(({ path, reference, also, where, hook, off }) =>
    [reference, ...also].map((text, at): ImageUse => {
      const use = {
        reference: text,
        at: `values ${path}`,
        path,
        ...(hook === undefined ? {} : { hook }),
      }
      if (off) return { ...use, need: 'on-demand', when: 'something is switched on that is off now' }
      if (hook === 'test') return { ...use, need: 'on-demand', when: 'helm test is run' }
      // Which of several references of one place is pulled, the program decides.
      if (at > 0 || (also.length > 0 && !/image|cr/.test(where)))
        return { ...use, need: 'on-demand', when: 'a custom resource asks for it' }
      return { ...use, need: 'needed' }
    }),
  )

/** What templates are known to have in their own text; `judgedUses` adds what programs have in theirs. */
const literalsOf = (hints: readonly SpecHint[]): readonly ImageUse[] =>
  hints
    .filter(({ action, path, where }) => action === 'patch' && path === undefined && where !== 'code')
    .map(({ reference }) => ({ reference, at: 'written into a template', need: 'needed' }))
