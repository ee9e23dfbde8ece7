import { parseReference, type Reference } from '../../oci/reference.ts'
import type { BoundChart } from '../format/bound-chart.ts'
import { canonical, canonicalText, hintFor, hintsOf } from '../spec/hints.ts'
import type { Root } from '../format/root.ts'
import type { BundleSpec, SpecHint } from '../spec/spec.ts'

/** An image that a chart pulls as it is installed, and that the bundle would not have. */
export interface MissingImage {
  readonly chart: string
  /** Where the chart's values name it, or where its template does. */
  readonly place: string
  readonly reference: Reference
  /** What the spec knows about it. */
  readonly hint?: SpecHint
}

export interface Coverage {
  readonly missing: readonly MissingImage[]
  /** Images of the list that no chart, hint or consumer binding refers to. */
  readonly unreferenced: readonly string[]
}

/** Compares what the charts pull, under the values they were rendered with, with what the list has. */
export function coverageOf(bound: readonly BoundChart[], roots: readonly Root[], spec: BundleSpec): Coverage {
  const bundled = new Set(
    roots.flatMap((root) => (root.kind === 'image' ? [canonical(parseReference(root.name))] : [])),
  )
  const hints = hintsOf(spec)
  const uses = bound.flatMap((chart) => usesOf(chart, hints.get(chart.chart) ?? []))
  const missing = new Map<string, MissingImage>()
  for (const { isPulled, ...use } of uses) {
    const name = canonical(use.reference)
    if (isPulled && !bundled.has(name) && use.hint?.action !== 'ignore' && !missing.has(name))
      missing.set(name, use)
  }
  const known = new Set([...uses.map(({ reference }) => canonical(reference)), ...namedBySpec(spec)])
  const unreferenced = roots.flatMap((root) =>
    root.kind === 'image' && !known.has(canonical(parseReference(root.name))) ? [root.name] : [],
  )
  return { missing: [...missing.values()], unreferenced }
}

// --- internal ---

type Use = MissingImage & { readonly isPulled: boolean }

function usesOf({ chart, bindings, unreachable }: BoundChart, hints: readonly SpecHint[]): readonly Use[] {
  const use = (place: string, text: string, isPulled: boolean): readonly Use[] => {
    const reference = tryParse(text)
    if (reference === undefined) return []
    const hint = hintFor(hints, place, text)
    return [{ chart, place, reference, isPulled, ...(hint === undefined ? {} : { hint }) }]
  }
  return [
    ...bindings.flatMap(({ path, references, variant, stem }) =>
      references.flatMap((text) => use(path.join('.'), text, variant === undefined && stem !== true)),
    ),
    ...unreachable.flatMap(({ at, reference }) => use(at, reference, false)),
  ]
}

/** What the spec itself says is needed: the consumer's own images, hints, and places in charts it knows. */
function namedBySpec({ consumer, hints, bindings }: BundleSpec): readonly string[] {
  const places = [...(consumer?.bindings ?? []), ...[...bindings.values()].flat()]
  const texts = [
    ...places.flatMap(({ reference, also }) => [reference, ...also]),
    ...[...hints.values()].flat().map(({ reference }) => reference),
    ...[...(consumer?.sets.values() ?? [])].flat().map(({ reference }) => reference),
  ]
  return [
    ...texts.flatMap((text) => canonicalText(text)),
    ...places.flatMap(({ image }) => (image === undefined ? [] : [canonical(image)])),
  ]
}

function tryParse(text: string): Reference | undefined {
  try {
    return parseReference(text)
  } catch (error) {
    // Stems and names with variables are no references of their own.
    if (error instanceof Error && error.name === 'BundleError') return undefined
    throw error
  }
}
