import type { Binding } from '../binding.ts'
import { lastSegment, nameOf, normalisedReference } from '../reference-text.ts'
import type { Rendered, HelmRenderer } from '../render/helm.ts'
import { placeKey, referencesOf, type RenderedReference } from '../render/rendered.ts'
import { optionsOf, type Variant } from '../render/variant.ts'
import type { Search } from '../search.ts'
import type { Values } from '../tree.ts'
import { destinationText, sameImage, type Destinations } from './destination.ts'

/** One way to render the chart, in which an override is tried. */
export interface Stage {
  readonly render: (override: Values) => Promise<Rendered>
  /** What is checked here: everything in the user's own variant, in another only what that one does not show. */
  readonly references: readonly RenderedReference[]
  readonly variant: Variant
  /** Places where the user's own variant shows another reference. */
  readonly others: ReadonlySet<string>
}

export interface OtherMode {
  readonly binding: Binding
  readonly reference: string
  readonly at: string
  /** Whose switches show it. */
  readonly variant: Variant
}

export async function stagesOf(
  layers: readonly Values[],
  search: Search,
  renderer: HelmRenderer,
): Promise<Stage[]> {
  const stages: Stage[] = []
  const seen = new Set<string>()
  const first = new Set<string>()
  for (const variant of search.variants) {
    const render = (override: Values): Promise<Rendered> =>
      renderer.template(stacked(layers, variant, override))
    const rendered = await render({})
    if (!rendered.ok) continue
    const references = referencesOf(rendered.documents).filter(
      ({ place, text }) => !seen.has(placeKey(place, text)),
    )
    for (const { place, text } of references) seen.add(placeKey(place, text))
    const others = new Set(references.flatMap(({ place }) => (first.has(place) ? [place] : [])))
    if (stages.length === 0) for (const { place } of references) first.add(place)
    if (references.length > 0) stages.push({ render, references, variant, others })
  }
  return stages
}

/** The user's layers, the variant's switches, the override: in helm's order. */
export const stacked = (layers: readonly Values[], variant: Variant, override: Values) => {
  const { values = [], ...rest } = optionsOf(variant)
  return { ...rest, values: [...layers, ...values, ...(Object.keys(override).length > 0 ? [override] : [])] }
}

/** Notes the bindings of which a reference did not become its destination. */
export function misses(
  rendered: Rendered & { ok: true },
  { references, others, variant }: Stage,
  search: Search,
  destinations: Destinations,
  failed: Map<Binding, string>,
  elsewhere: Map<string, OtherMode>,
): void {
  const wanted = references.flatMap((reference) => {
    const want = destinationText(reference, destinations)
    return want === undefined ? [] : [{ ...reference, want }]
  })
  const names = new Set(wanted.map(({ want }) => nameOf(want)))
  // In a long text others may come to look like references too, so that only the field is the same.
  const after = new Map<string, string[]>()
  for (const { place, text } of referencesOf(rendered.documents, (token) => names.has(nameOf(token))))
    after.set(fieldOf(place), [...(after.get(fieldOf(place)) ?? []), text])
  for (const { place, text, want, kind, name, path } of wanted) {
    const binding = search.places.get(placeKey(place, text))
    if (binding === undefined) continue
    const there = after.get(fieldOf(place)) ?? []
    const pinned = destinations.digestOf?.(normalisedReference(text) ?? text)
    const at = there.findIndex((now) => sameImage(now, want) || isPinned(now, want, pinned))
    if (at >= 0) there.splice(at, 1)
    // The user's own variant is what counts; in another the same value may have to be another.
    else if (others.has(place))
      elsewhere.set(text, {
        binding,
        reference: normalisedReference(text) ?? text,
        at: `${kind}/${name} ${path}`,
        variant,
      })
    else failed.set(binding, `${nearest(there, text) ?? 'nothing'} was rendered instead of ${want}`)
  }
}

// --- internal ---

/** What a reference has become: that with the same last part, wherever it stands in the field. */
const nearest = (there: readonly string[], text: string): string | undefined =>
  there.find((now) => lastSegment(nameOf(now)) === lastSegment(nameOf(text))) ?? there[0]

const isPinned = (now: string, want: string, digest: string | undefined): boolean =>
  digest !== undefined && now.endsWith(`@${digest}`) && nameOf(now) === nameOf(want)

const fieldOf = (place: string): string => place.slice(0, place.lastIndexOf('#'))
