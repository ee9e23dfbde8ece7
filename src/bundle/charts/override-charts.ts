import { sameVersion } from '../../helm/version.ts'
import { knownChart, knownConsumer } from '../spec/bundled.ts'
import type { ChartThere } from './override.ts'
import type { BundleSpec, Consumer } from '../spec/spec.ts'

/**
 * The bundle's charts with what is known of them: from the spec, else from the bundled specs. In the order given.
 * @param charts names and versions as their Chart.yaml has them
 */
export function chartsThere(
  spec: BundleSpec,
  charts: readonly { readonly name: string; readonly version: string }[],
): readonly ChartThere[] {
  const listed = spec.groups.flatMap((group) => group.charts)
  return charts.map(({ name, version }) => {
    const known = knownChart(name, version)
    const inSpec = listed.find((chart) => chart.name === name && sameVersion(chart.version, version))
    const key = inSpec !== undefined && inSpec.key !== name ? inSpec.key : (known?.key ?? name)
    return { name, version, key, bindings: spec.bindings.get(name) ?? known?.bindings ?? [] }
  })
}

/** The chart that installs the others: the spec's, else that of the bundled spec most like it. */
export const consumerOf = (spec: BundleSpec): Consumer | undefined =>
  spec.consumer ?? knownConsumer(spec.groups.flatMap((group) => group.charts))
