import { parseReference } from '../oci/reference.ts'
import type { RootContents } from './contents.ts'
import type { Layout } from './destination.ts'
import { chartValues, umbrellaOverride, type UnboundIn } from './override.ts'
import { chartsThere, consumerOf } from './override-input.ts'
import { parseSpec, type Consumer } from './spec.ts'
import type { Bundle } from './open.ts'

/** The values files for one registry. */
export interface ValuesFiles {
  /** For the chart that installs all others: `helm install -f`. */
  readonly umbrella: string
  /** For each chart on its own, by chart name. */
  readonly charts: ReadonlyMap<string, string>
  /** Places that name an image the bundle does not have; they stay public. */
  readonly unbound: readonly UnboundIn[]
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
export function valuesFor(bundle: Bundle, layout: Layout): ValuesFiles | undefined {
  const { contents, roots } = bundle
  if (contents === undefined) return undefined
  const spec = parseSpec(contents.spec, `${contents.name}.yaml`)
  const images = roots.filter(isImage).map(({ name }) => parseReference(name))
  const charts = chartsThere(
    spec,
    roots.filter(isChart).map(({ chart, version }) => ({ name: chart, version })),
  )
  const title = `${[contents.name, contents.version].filter(Boolean).join(' ')} from ${layout.registry}. Written by ma-bundle.`
  const { yaml, unbound } = umbrellaOverride(
    consumerOf(spec) ?? PLAIN_CONSUMER,
    charts,
    images,
    layout,
    title,
  )
  const perChart = charts.flatMap((chart): [string, string][] => {
    const own = chartValues(chart, images, layout, `${chart.name} ${chart.version}. ${title}`)
    return own.yaml === undefined ? [] : [[chart.name, own.yaml]]
  })
  return { umbrella: yaml, charts: new Map(perChart), unbound }
}

// --- internal ---

const isImage = (root: RootContents) => root.kind === 'image'
const isChart = (root: RootContents) => root.kind === 'chart'
