import { parseReference } from '../../oci/reference.ts'
import type { RootContents } from '../format/contents.ts'
import type { Layout } from '../format/destination.ts'
import { boundValues } from './render.ts'
import { chartValues, umbrellaOverride, type ChartThere, type UnboundIn } from './override.ts'
import { createPrivateImages } from './private-images.ts'
import { chartPath } from '../format/root.ts'
import { chartsThere, consumerOf } from './override-charts.ts'
import { parseSpec, type Consumer } from '../spec/spec.ts'
import type { Bundle } from '../format/open.ts'

/** The values files for one registry. */
export interface ValuesFiles {
  /** For the chart that installs all others: `helm install -f`. */
  readonly umbrella: string
  /** For each chart on its own, by chart name. */
  readonly charts: ReadonlyMap<string, string>
  /** Places that name an image the bundle does not have; they stay public. */
  readonly unbound: readonly UnboundIn[]
}

export interface ValuesOptions {
  /** Write digests too, where a rendered chart has a place for them. */
  readonly pinDigests?: boolean
}

/** For a list that names no consumer: the shape of Migration Assistant's. */
const PLAIN_CONSUMER: Consumer = {
  chart: '(consumer)',
  registryAt: 'ecrAuth.registry',
  chartsAt: 'charts',
  bindings: [],
  sets: new Map(),
}

/**
 * Computes the values overrides from the bundle alone: no registry is asked.
 * @returns undefined for a layout of another tool, which knows no charts
 */
export async function valuesFor(
  bundle: Bundle,
  layout: Layout,
  { pinDigests = false }: ValuesOptions = {},
): Promise<ValuesFiles | undefined> {
  const { contents, roots } = bundle
  if (contents === undefined) return undefined
  const spec = parseSpec(contents.spec, `${contents.name}.yaml`)
  const images = roots.filter(isImage).map(({ name }) => parseReference(name))
  const known = chartsThere(
    spec,
    roots.filter(isChart).map(({ chart, version }) => ({ name: chart, version })),
  )
  const consumer = consumerOf(spec) ?? PLAIN_CONSUMER
  const found = await foundValues(bundle, layout, known, pinDigests)
  const charts = known.map((chart) => withFound(chart, found.get(chart.name)))
  // What the consumer is known to set in a child chart changes the child's references; the chart alone does not show it.
  const consumed = known.map((chart) =>
    consumer.sets.has(chart.key) && chart.bindings.length > 0
      ? chart
      : withFound(chart, found.get(chart.name)),
  )
  const title = `${[contents.name, contents.version].filter(Boolean).join(' ')} from ${layout.registry}. Written by ma-bundle.`
  const { yaml, unbound } = umbrellaOverride(consumer, consumed, images, layout, title)
  const perChart = charts.flatMap((chart): [string, string][] => {
    const own = chartValues(chart, images, layout, `${chart.name} ${chart.version}. ${title}`)
    return own.yaml === undefined ? [] : [[chart.name, own.yaml]]
  })
  const unfound = [...found].flatMap(([chart, one]) => one.unbound.map((place) => ({ chart, ...place })))
  return { umbrella: yaml, charts: new Map(perChart), unbound: [...unbound, ...unfound] }
}

// --- internal ---

type Found = ReturnType<typeof boundValues>

/** What was found at export, written for this registry. */
async function foundValues(
  bundle: Bundle,
  layout: Layout,
  known: readonly ChartThere[],
  pinDigests: boolean,
): Promise<ReadonlyMap<string, Found>> {
  const { contents, roots } = bundle
  const images = createPrivateImages(roots, layout)
  const found = new Map<string, Found>()
  for (const bound of contents?.bound ?? []) {
    // What is written down about a chart is better than what the names of its keys suggest.
    if (!bound.rendered && known.some(({ name, bindings }) => name === bound.chart && bindings.length > 0))
      continue
    const tgz = await bundle.content(chartPath(bound.chart, bound.version))
    found.set(bound.chart, boundValues(bound, tgz, images, layout, pinDigests))
  }
  return found
}

const withFound = (chart: ChartThere, found: Found | undefined): ChartThere =>
  found === undefined ? chart : { ...chart, values: found.values }

const isImage = (root: RootContents) => root.kind === 'image'
const isChart = (root: RootContents) => root.kind === 'chart'
