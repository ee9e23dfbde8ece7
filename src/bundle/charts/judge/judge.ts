import { NEEDS } from '../../../helm/values/uses.ts'
import type { ImageUse } from '../../../helm/values/binding.ts'
import { parseReference, type Reference } from '../../../oci/reference.ts'
import type { RootContents } from '../../format/contents.ts'
import { createPrivateImages } from '../private-images.ts'
import type { BoundChart } from '../../format/charts/bound-chart.ts'
import { canonical, canonicalText, hintFor, hintsOf } from '../../spec/hints.ts'
import type { BundleSpec, SpecBinding, SpecHint } from '../../spec/spec.ts'
import type { Install } from './install.ts'

/** An image that a chart names, judged for this installation. */
export interface JudgedUse extends ImageUse {
  readonly chart: string
  /** What the spec knows about it. */
  readonly hint?: SpecHint
  /** A program names it, no object does. */
  readonly compiledIn?: true
}

/** An image that the bundle would not have. */
export interface MissingImage extends JudgedUse {
  /** Its name in the bundle. */
  readonly image: Reference
}

export interface Coverage {
  /** Images that the bundle lacks, each once: what is needed first. */
  readonly missing: readonly MissingImage[]
  /** Images of the list that no chart, hint or consumer binding refers to. */
  readonly unreferenced: readonly string[]
}

/**
 * What a chart names, under what is known of it beside its own text: the spec's hints, and whether it is installed at
 * all. A hint without `when` means always.
 */
export function judgedUses(
  { chart, uses = [] }: BoundChart,
  hints: readonly SpecHint[],
  off: string | undefined,
): readonly JudgedUse[] {
  const rendered = uses.map((use) => ({ ...use, chart, ...hinted(use, hints) }))
  const named = new Set(uses.map(({ reference }) => canonicalText(reference)))
  const compiledIn = hints
    .filter(({ where, reference }) => where === 'code' && !named.has(canonicalText(reference)))
    .map((hint): JudgedUse => ({
      chart,
      reference: hint.reference,
      at: 'written into a program',
      ...needOf(hint),
      hint,
      compiledIn: true,
    }))
  return [...rendered, ...compiledIn].map((use) =>
    off === undefined || use.need !== 'needed' ? use : { ...use, need: 'on-demand', when: switchedOn(off) },
  )
}

/** `conditionalPackageInstalls.jaeger is off`, the other way round. */
export const switchedOn = (off: string): string =>
  off.endsWith(' is off') ? `${off.slice(0, -'off'.length)}on` : 'it is installed by itself'

/** Compares what the charts name, under the values they are installed with, with what the list has. */
export function coverageOf(
  bound: readonly BoundChart[],
  roots: readonly RootContents[],
  spec: BundleSpec,
  install: Install,
): Coverage {
  const images = roots.filter(({ kind }) => kind === 'image').map(({ name }) => name)
  // By tag or by digest, as the charts have it.
  const bundled = createPrivateImages(roots, { registry: 'here', path: '', prefix: '', chartPrefix: '' })
  const hints = hintsOf(spec)
  const uses = bound.flatMap((chart) => {
    const aliases = aliasesOf(chart, chart.chart === install.consumer?.chart ? install.consumer.bindings : [])
    return judgedUses(chart, hints.get(chart.chart) ?? [], install.of(chart.chart).off).flatMap((use) =>
      withImage(use, aliases),
    )
  })
  const missing = new Map<string, MissingImage>()
  for (const use of uses.toSorted((a, b) => NEEDS.indexOf(a.need) - NEEDS.indexOf(b.need))) {
    const name = canonical(use.image)
    if (bundled.find(use.image) === undefined && !missing.has(name)) missing.set(name, use)
  }
  const known = new Set([...uses.map(({ image }) => canonical(image)), ...namedBySpec(spec)])
  return {
    missing: [...missing.values()],
    unreferenced: images.filter((name) => !known.has(canonical(parseReference(name)))),
  }
}

/** By the canonical name that a chart uses, the image that takes its place: `image` of the spec's bindings. */
export function aliasesOf(
  { bindings }: Pick<BoundChart, 'bindings'>,
  known: readonly SpecBinding[],
): ReadonlyMap<string, Reference> {
  const aliases = new Map<string, Reference>()
  for (const { path, reference, also, image } of known) {
    if (image === undefined) continue
    const found = bindings.filter((binding) => binding.path.join('.') === path)
    for (const text of [reference, ...also, ...found.flatMap(({ references }) => references)])
      aliases.set(canonicalText(text), image)
  }
  return aliases
}

/** A chart without the places of values that it hands to others, which are judged there. */
export function withoutPlaces(bound: BoundChart, below: string | undefined): BoundChart {
  if (below === undefined) return bound
  const isOwn = ({ path = '' }: { readonly path?: string }): boolean => !path.startsWith(`${below}.`)
  return {
    ...bound,
    notLanded: bound.notLanded.filter(isOwn),
    ...(bound.uses === undefined ? {} : { uses: bound.uses.filter(isOwn) }),
  }
}

// --- internal ---

function hinted(use: ImageUse, hints: readonly SpecHint[]): Partial<JudgedUse> {
  const hint = hintFor(hints, use.path, use.reference)
  return hint === undefined
    ? {}
    : { hint, ...(use.need === 'needed' || hint.when !== undefined ? needOf(hint) : {}) }
}

const needOf = ({ action, when }: SpecHint): Pick<JudgedUse, 'need' | 'when'> =>
  when !== undefined
    ? { need: 'on-demand', when }
    : action === 'ignore'
      ? { need: 'on-demand', when: 'it is used in another way than here' }
      : { need: 'needed' }

function withImage(use: JudgedUse, aliases: ReadonlyMap<string, Reference>): readonly MissingImage[] {
  try {
    return [{ ...use, image: aliases.get(canonicalText(use.reference)) ?? parseReference(use.reference) }]
  } catch (error) {
    // Stems and names with variables are no references of their own.
    if (error instanceof Error && error.name === 'BundleError') return []
    throw error
  }
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
