import { canonicalRegistry } from '../../oci/alias.ts'
import { formatReference, parseReference, type Reference } from '../../oci/reference.ts'
import { knownChart } from './bundled.ts'
import type { BundleSpec, SpecHint } from './spec.ts'

/**
 * What the spec knows of a reference in a chart: the hint for its very place, else one for the image wherever it is,
 * else one for the image somewhere else in the chart.
 */
export function hintFor(
  hints: readonly SpecHint[],
  place: string | undefined,
  reference: string,
): SpecHint | undefined {
  const wanted = canonicalText(reference)
  const same = hints.filter((hint) => canonicalText(hint.reference) === wanted)
  return (
    hints.find(({ path }) => path !== undefined && path === place) ??
    same.find(({ path }) => path === undefined) ??
    same[0]
  )
}

/** The spec's own hints, and for charts it has none for, those of the bundled specs. */
export function hintsOf(spec: BundleSpec): BundleSpec['hints'] {
  const charts = spec.groups.flatMap((group) => group.charts)
  const known = charts.flatMap(({ name, version }): [string, readonly SpecHint[]][] => {
    const hints = spec.hints.get(name) ?? knownChart(name, version)?.hints
    return hints === undefined ? [] : [[name, hints]]
  })
  return new Map([...spec.hints, ...known])
}

/** One spelling for all aliases of a registry. */
export const canonical = (reference: Reference): string =>
  formatReference({ ...reference, registry: canonicalRegistry(reference.registry) })

/** The same for a text; what is no reference (a stem, a name with a variable) stays as it is. */
export function canonicalText(text: string): string {
  try {
    return canonical(parseReference(text))
  } catch (error) {
    if (error instanceof Error && error.name === 'BundleError') return text
    throw error
  }
}
