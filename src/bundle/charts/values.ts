import { isMap, mergeValues, setAt, valueAt, type Values } from '../../helm/values/tree.ts'
import { parseReference } from '../../oci/reference.ts'
import type { BoundChart } from '../format/charts/bound-chart.ts'
import type { ChartContents, RootContents } from '../format/contents.ts'
import { namesText, type Layout } from '../format/destination.ts'
import type { Bundle } from '../format/open.ts'
import { chartPath } from '../format/root.ts'
import { parseSpec, type BundleSpec, type Consumer } from '../spec/spec.ts'
import { installOf, type Install } from './judge/install.ts'
import { aliasesOf } from './judge/judge.ts'
import { chartsThere, consumerOf } from './override-charts.ts'
import { chartValues, umbrellaOverride, type ChartThere, type UnboundIn } from './override.ts'
import { createPrivateImages, withAliases } from './private-images.ts'
import { boundValues } from './render.ts'

/** The values files for one registry. */
export interface ValuesFiles {
  /** For the chart that installs all others: `helm install -f`. */
  readonly umbrella: string
  /** For each chart on its own, by chart name. */
  readonly charts: ReadonlyMap<string, string>
  /** Places that name an image the bundle does not have; they stay public. */
  readonly unbound: readonly UnboundIn[]
  /** What else must stay as it is for the override to be right. */
  readonly relies: readonly ReliesOn[]
}

/** A value that decides what a written place stood for, and what it would be otherwise, for people. */
export interface ReliesOn {
  readonly chart: string
  readonly text: string
}

export interface OverrideOptions {
  /** Write digests too, where a rendered chart has a place for them. */
  readonly pinDigests?: boolean
}

/** What the overrides are computed from. */
export interface OverrideFacts {
  /** Of the spec. */
  readonly name: string
  readonly version?: string
  readonly spec: BundleSpec
  readonly roots: readonly RootContents[]
  readonly bound: readonly BoundChart[]
  /** Packaged charts by name. */
  readonly packages: ReadonlyMap<string, Uint8Array>
  readonly install: Install
}

/** For a list that names no consumer: the shape of Migration Assistant's. */
const PLAIN_CONSUMER: Consumer = {
  chart: '(consumer)',
  registryAt: 'ecrAuth.registry',
  chartsAt: 'charts',
  values: [],
  bindings: [],
  sets: new Map(),
}

/** What a bundle says of its charts; undefined for a layout of another tool. */
export async function overrideFacts(bundle: Bundle): Promise<OverrideFacts | undefined> {
  const { contents, roots } = bundle
  if (contents === undefined) return undefined
  const spec = parseSpec(contents.spec, `${contents.name}.yaml`)
  const charts = roots.filter((root): root is ChartContents => root.kind === 'chart')
  const packages = new Map<string, Uint8Array>()
  for (const { chart, version } of charts)
    packages.set(chart, await bundle.content(chartPath(chart, version)))
  const { name, version, bound } = contents
  return {
    name,
    ...(version === undefined ? {} : { version }),
    spec,
    roots,
    bound,
    packages,
    install: installOf(
      spec,
      [...packages].map(([chart, tgz]) => ({ chart, tgz })),
    ),
  }
}

/**
 * Computes the values overrides from the bundle alone: no registry is asked.
 * @returns undefined for a layout of another tool, which knows no charts
 */
export async function valuesFor(
  bundle: Bundle,
  layout: Layout,
  options: OverrideOptions = {},
): Promise<ValuesFiles | undefined> {
  const facts = await overrideFacts(bundle)
  return facts === undefined ? undefined : computeValues(facts, layout, options)
}

/** The overrides for the chart that installs the others, and for each chart on its own. */
export function computeValues(
  facts: OverrideFacts,
  layout: Layout,
  { pinDigests = false }: OverrideOptions = {},
): ValuesFiles {
  const { name, version, spec, roots, install } = facts
  const images = roots.filter(({ kind }) => kind === 'image').map((root) => parseReference(root.name))
  const consumer = consumerOf(spec) ?? PLAIN_CONSUMER
  const listed = roots.filter((root): root is ChartContents => root.kind === 'chart')
  const known = chartsThere(
    spec,
    listed.map(({ chart, version: own }) => ({ name: chart, version: own })),
  ).filter((chart) => chart.name !== consumer.chart)
  const found = foundValues(facts, layout, known, pinDigests)
  // Rendered with what the consumer hands to it. Without the consumer, what it is known to set counts.
  const consumed = known.map((chart) =>
    install.consumer === undefined && consumer.sets.has(chart.key) && chart.bindings.length > 0
      ? chart
      : withFound(chart, found.get(chart.name)?.values),
  )
  const names = namesText(layout)
  const title = `${[name, version].filter(Boolean).join(' ')} from ${layout.registry}. Written by ma-bundle${names === undefined ? '' : ` with ${names}`}.`
  const relies = reliesOf(facts, found)
  const own = found.get(consumer.chart)
  const all = [title, ...relies.map(({ chart, text }) => `${chart}: ${text}`)]
  const { yaml, unbound } = umbrellaOverride(consumer, consumed, images, layout, all, own?.values)
  const perChart = known.flatMap((chart): [string, string][] => {
    const alone = standingAlone(chart, found.get(chart.name)?.values, facts)
    const about = relies.flatMap((one) => (one.chart === chart.name ? [one.text] : []))
    const heading = [`${chart.name} ${chart.version}. ${title}`, ...about]
    const file = chartValues(alone, images, layout, heading)
    return file.yaml === undefined ? [] : [[chart.name, file.yaml]]
  })
  const unfound = [...found].flatMap(([chart, one]) => one.unbound.map((place) => ({ chart, ...place })))
  const measured = unbound.filter(({ chart }) => own === undefined || chart !== consumer.chart)
  return { umbrella: yaml, charts: new Map(perChart), unbound: [...measured, ...unfound], relies }
}

// --- internal ---

type Found = ReturnType<typeof boundValues>

/** Of charts whose override was found by rendering, for images that the bundle has. */
function reliesOf({ bound, roots }: OverrideFacts, found: ReadonlyMap<string, Found>): readonly ReliesOn[] {
  const images = createPrivateImages(roots, { registry: 'here', path: '', prefix: '', chartPrefix: '' })
  return bound.flatMap(({ chart, modes = [] }) =>
    modes
      .filter(({ reference }) => found.has(chart) && images.rewrite(reference) !== undefined)
      .map(({ path, reference, when, is, otherwise, instead }) => ({
        chart,
        text: `${path} stands for ${reference} while ${when} is ${is}; with ${when} ${otherwise} the chart has ${instead} there: set it by hand then`,
      })),
  )
}

/** What was found at export, written for this registry. */
function foundValues(
  { roots, bound, packages, install }: OverrideFacts,
  layout: Layout,
  known: readonly ChartThere[],
  pinDigests: boolean,
): ReadonlyMap<string, Found> {
  const images = createPrivateImages(roots, layout)
  const found = new Map<string, Found>()
  for (const chart of bound) {
    const isConsumer = chart.chart === install.consumer?.chart
    const tgz = packages.get(chart.chart)
    // What is written down about a chart is better than what the names of its keys suggest.
    const isKnown = known.some(({ name, bindings }) => name === chart.chart && bindings.length > 0)
    if (tgz === undefined || (!chart.rendered && (isKnown || isConsumer))) continue
    const named = isConsumer
      ? withAliases(images, aliasesOf(chart, install.consumer?.bindings ?? []))
      : images
    found.set(chart.chart, boundValues(chart, tgz, named, layout, pinDigests))
  }
  return found
}

const withFound = (chart: ChartThere, values: Values | undefined): ChartThere =>
  values === undefined ? chart : { ...chart, values }

/**
 * A chart for a plain install, without what the consumer hands to it: what was measured for its own values, else what
 * was found together with the parts of references that the consumer sets.
 */
function standingAlone(chart: ChartThere, values: Values | undefined, facts: OverrideFacts): ChartThere {
  if (values === undefined) return chart
  const layers = facts.install.of(chart.name).layers.map((layer) => layer.values)
  if (layers.length === 0) return withFound(chart, values)
  if (chart.bindings.length > 0) return chart
  const handed = layers.reduce<Values>((under, over) => mergeValues(under, over), {})
  const together = structuredClone(values)
  const bindings = facts.bound.find((one) => one.chart === chart.name)?.bindings ?? []
  for (const { path } of bindings.flatMap(({ leaves }) => leaves)) {
    const value = valueAt(handed, path)
    const isText = value !== undefined && value !== null && !isMap(value)
    if (isText && valueAt(together, path) === undefined) setAt(together, path, value, handed)
  }
  return withFound(chart, together)
}
