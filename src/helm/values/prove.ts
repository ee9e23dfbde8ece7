import type { Where } from './binding.ts'
import type { Renderer } from './render/helm.ts'
import { destinationText, sameImage, stacked, type Destinations } from './write/try-override.ts'
import { normalisedReference } from './reference-text.ts'
import { placeKey, referencesOf, type RenderedReference } from './render/rendered.ts'
import type { Search } from './search.ts'
import type { Values } from './tree.ts'
import type { Variant } from './render/variant.ts'

/**
 * `bound`: the private registry has it under this name. `not-bundled`: values reach it, but the bundle lacks the
 * image. `unreachable`: no value turns it into the bundled image.
 */
export type Verdict = 'bound' | 'not-bundled' | 'unreachable'

export interface ProvenReference {
  /** As rendered with the override. */
  readonly reference: string
  /** As rendered without it, normalised. */
  readonly original: string
  readonly kind: string
  readonly name: string
  readonly path: string
  readonly where: Where
  readonly hook?: string
  readonly verdict: Verdict
  /** What to do about it, for all but `bound`. */
  readonly remedy?: string
  /** The variant that first shows it. */
  readonly variant: string
}

export interface Proof {
  readonly references: readonly ProvenReference[]
  /** Written in templates, shown by no render. */
  readonly unrendered: readonly { readonly reference: string; readonly at: string }[]
  /** Variants that did not render with the override, in helm's words. */
  readonly failures: readonly { readonly variant: string; readonly message: string }[]
  /** Every reference is bound, and everything rendered. */
  readonly holds: boolean
}

export interface ProveOptions extends Destinations {
  /** The private registry's reference, as rendered. */
  readonly isPrivate: (reference: string) => boolean
  /** The bundle holds the image of this normalised reference. */
  readonly isBundled: (reference: string) => boolean
  /** What to render; the user's own layers when nothing is given. */
  readonly variants?: readonly Variant[]
}

const AS_GIVEN: Variant = { name: 'as given', values: {} }

/**
 * Renders a chart as it will be installed, with the override on top of the user's layers, and judges every reference
 * in every string of every object.
 * @param search what was found before, to say why a reference is still public
 */
export async function prove(
  layers: readonly Values[],
  override: Values,
  renderer: Renderer,
  search: Search,
  options: ProveOptions,
): Promise<Proof> {
  const references: ProvenReference[] = []
  const failures: { variant: string; message: string }[] = []
  const seen = new Set<string>()
  for (const variant of options.variants ?? [AS_GIVEN]) {
    const [plain, bound] = await Promise.all([
      renderer.template(stacked(layers, variant, {})),
      renderer.template(stacked(layers, variant, override)),
    ])
    if (!bound.ok) {
      failures.push({ variant: variant.name, message: bound.message })
      continue
    }
    const before = new Map(
      (plain.ok ? referencesOf(plain.documents) : []).map((one) => [one.place, one.text] as const),
    )
    for (const rendered of referencesOf(bound.documents, options.isPrivate)) {
      const original = before.get(rendered.place)
      const key = placeKey(rendered.place, rendered.text)
      if (seen.has(key)) continue
      seen.add(key)
      references.push(judged(rendered, original, variant, search, options))
    }
  }
  return {
    references,
    unrendered: search.unreachable
      .filter(({ unrendered }) => unrendered === true)
      .map(({ reference, at }) => ({ reference, at })),
    failures,
    holds: failures.length === 0 && references.every(({ verdict }) => verdict === 'bound'),
  }
}

// --- internal ---

function judged(
  rendered: RenderedReference,
  before: string | undefined,
  variant: Variant,
  search: Search,
  options: ProveOptions,
): ProvenReference {
  const { text, kind, name, path, where, hook, place } = rendered
  const original = normalisedReference(before ?? text) ?? before ?? text
  const common = {
    reference: text,
    original,
    kind,
    name,
    path,
    where,
    variant: variant.name,
    ...(hook === undefined ? {} : { hook }),
  }
  const bundled = options.isBundled(original)
  if (options.isPrivate(text)) {
    const wanted = before === undefined ? undefined : destinationText(before, options)
    if (wanted !== undefined && !sameImage(text, wanted))
      return {
        ...common,
        verdict: 'unreachable',
        remedy: `it should be ${wanted}: correct the values by hand`,
      }
    if (bundled) return { ...common, verdict: 'bound' }
    return { ...common, verdict: 'not-bundled', remedy: `add ${original} to the spec and export again` }
  }
  const reachable = search.places.has(placeKey(place, before ?? text))
  if (reachable && !bundled)
    return { ...common, verdict: 'not-bundled', remedy: `add ${original} to the spec and export again` }
  const how = bundled
    ? 'let the nodes pull it from the private registry (ma-bundle values --format containerd) or rewrite it with ma-bundle post-render'
    : `add ${original} to the spec, and let the nodes pull it from the private registry or rewrite it with ma-bundle post-render`
  return { ...common, verdict: 'unreachable', remedy: how }
}
