import type { Where } from './binding.ts'
import type { HelmRenderer } from './render/helm.ts'
import { stacked } from './write/stages.ts'
import {
  destinationText,
  sameImage,
  stemReference,
  type Destinations,
  type Rendering,
} from './write/destination.ts'
import { lastSegment, nameOf, normalisedReference } from './reference-text.ts'
import { isMadeUp } from './render/made-up.ts'
import { placeKey, referencesOf, type RenderedReference } from './render/rendered.ts'
import type { Search } from './search.ts'
import type { Values } from './tree.ts'
import type { Variant } from './render/variant.ts'

/**
 * `bound`: the private registry has it under this name. `not-bundled`: values reach it, but the bundle lacks the
 * image. `unreachable`: no value turns it into the bundled image.
 */
export type ProofVerdict = 'bound' | 'not-bundled' | 'unreachable'

export interface ProvenReference {
  /** As rendered with the override. */
  readonly reference: string
  /** As rendered without it, normalised. */
  readonly original: string
  /** A registry alone or the beginning of a name: a program adds the rest. */
  readonly stem?: true
  readonly kind: string
  readonly name: string
  readonly path: string
  readonly where: Where
  readonly hook?: string
  readonly verdict: ProofVerdict
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
  renderer: HelmRenderer,
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
    const origins = originsOf(plain.ok ? referencesOf(plain.documents) : [], search, options)
    for (const rendered of referencesOf(bound.documents, options.isPrivate)) {
      const key = placeKey(rendered.place, rendered.text)
      // A value that was made up for the chart to render at all says nothing of what is pulled.
      if (isMadeUp(rendered.text) || seen.has(key) || origins.isPart(rendered)) continue
      seen.add(key)
      references.push(judged(rendered, origins, variant, search, options))
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

/** What stood where, before the override. In long texts others come to stand first, so meaning goes before position. */
interface Origins {
  /** The reference that has become this one: of the same field if possible, else of any. */
  of(rendered: RenderedReference): Rendering | undefined
  at(place: string): Rendering | undefined
  /** A private name without its version or its end, which stand in other fields: the whole is judged there. */
  isPart(rendered: RenderedReference): boolean
}

function originsOf(plain: readonly RenderedReference[], search: Search, options: ProveOptions): Origins {
  const places = new Map(plain.map((one) => [one.place, one]))
  const moved = plain.flatMap((one) => {
    const destination = destinationText(one, options)
    return destination === undefined ? [] : [{ one, destination }]
  })
  // A name that is none before the override, such as a bare word beside its tag.
  const written = search.bindings.flatMap(({ references, stem }) =>
    stem === true ? [] : references.map((text) => ({ text, destination: options.destinationOf(text) })),
  )
  const names = [...new Set([...moved, ...written].map(({ destination }) => nameOf(destination)))]
  const exact = (text: string): RenderedReference[] =>
    moved.flatMap(({ one, destination }) =>
      sameImage(text, destination) || text === destination ? [one] : [],
    )
  const fieldOf = (place: string): string => place.slice(0, place.lastIndexOf('#'))
  return {
    of({ text, place }) {
      const all = exact(text)
      const field = fieldOf(place)
      return (
        all.find((one) => one.place === place) ??
        all.find((one) => fieldOf(one.place) === field) ??
        all[0] ??
        written.find(({ destination }) => sameImage(text, destination))
      )
    },
    at: (place) => places.get(place),
    isPart: ({ text, where }) =>
      where !== 'image' &&
      options.isPrivate(text) &&
      !/[:@]/.test(lastSegment(text)) &&
      names.some((one) => one === text || one.startsWith(`${text}/`)) &&
      exact(text).length === 0,
  }
}

function judged(
  rendered: RenderedReference,
  origins: Origins,
  variant: Variant,
  search: Search,
  options: ProveOptions,
): ProvenReference {
  const { text, kind, name, path, where, hook, place } = rendered
  const isPrivate = options.isPrivate(text)
  const before = isPrivate ? (origins.of(rendered) ?? origins.at(place)) : rendered
  const { stem } = before ?? rendered
  const named = before?.text ?? text
  const original = stem === true ? stemReference(named) : (normalisedReference(named) ?? named)
  const common = {
    reference: text,
    original,
    kind,
    name,
    path,
    where,
    variant: variant.name,
    ...(stem === true ? { stem } : {}),
    ...(hook === undefined ? {} : { hook }),
  }
  const bundled = options.isBundled(original)
  if (isPrivate) {
    const wanted = before === undefined ? undefined : destinationText(before, options)
    if (wanted !== undefined && wanted !== text && !sameImage(text, wanted))
      return {
        ...common,
        verdict: 'unreachable',
        remedy: `it should be ${wanted}: correct the values by hand`,
      }
    if (bundled || stem === true) return { ...common, verdict: 'bound' }
    if (before === undefined)
      return {
        ...common,
        verdict: 'unreachable',
        remedy: 'no reference of the chart becomes this: correct the values that make it',
      }
    return { ...common, verdict: 'not-bundled', remedy: `add ${original} to the spec and export again` }
  }
  if (stem === true)
    return {
      ...common,
      verdict: 'unreachable',
      remedy: `add what is pulled from ${original} to the spec, or accept it with a hint`,
    }
  const reachable = search.bindings.some(({ references }) => references.includes(original))
  if (reachable && !bundled)
    return { ...common, verdict: 'not-bundled', remedy: `add ${original} to the spec and export again` }
  const how = bundled
    ? 'let the nodes pull it from the private registry (ma-bundle values --format containerd) or rewrite it with ma-bundle post-render'
    : `add ${original} to the spec, and let the nodes pull it from the private registry or rewrite it with ma-bundle post-render`
  return { ...common, verdict: 'unreachable', remedy: how }
}
