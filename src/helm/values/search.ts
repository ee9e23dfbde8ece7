import { assembleBindings, type Sighted } from './assemble.ts'
import type { Binding, Unreachable } from './binding.ts'
import { candidatesFor, undeclaredCandidates, undeclaredDigests } from './candidates.ts'
import type { Chart } from './chart-files.ts'
import { effectiveValues } from './effective.ts'
import type { Renderer } from './helm.ts'
import { fieldsByPlace, observe, type Observation, type Scene } from './observe.ts'
import { looksLikeStem, normalisedReference } from './reference-text.ts'
import { placeKey, referencesOf, type RenderedReference } from './rendered.ts'
import { findStatic } from './static.ts'
import { readTemplates } from './template-text.ts'
import { mergeValues, pathText, type Path, type Values } from './tree.ts'
import { baseVariant } from './help.ts'
import { optionsOf, type Render, type Variant } from './variant.ts'
import { allOnVariant, targetedVariants } from './variants.ts'

export interface Search {
  readonly bindings: readonly Binding[]
  readonly unreachable: readonly Unreachable[]
  /** Which binding makes the reference at a place of a render, by `placeKey`. */
  readonly places: ReadonlyMap<string, Binding>
  /** The variants that were rendered; the first is the user's own layers. */
  readonly variants: readonly Variant[]
  /** Helm's words when the chart does not render with the user's layers alone. */
  readonly failure?: string
}

export interface SearchOptions {
  /** Further ways to render the chart that the user knows of. The first replaces the user's own layers alone. */
  readonly variants?: readonly Variant[]
  /** Also look for places that take a digest. */
  readonly digests?: boolean
}

/**
 * Finds every place in a chart's values that makes an image reference, by marking leaves and rendering. The names of
 * keys only decide what is tried first.
 */
export async function findByRendering(
  chart: Chart,
  layers: readonly Values[],
  renderer: Renderer,
  { variants: given = [], digests = false }: SearchOptions = {},
): Promise<Search> {
  const values = effectiveValues(chart, layers)
  const statics = findStatic(chart, layers)
  const templates = readTemplates(chart)
  const strict: Render = (options) =>
    renderer.template({ ...options, values: [...layers, ...(options.values ?? [])] })
  const own = given[0] ?? { name: 'as given', values: {} }
  const { variant, failure, complaint } = await firstThatRenders(
    [own, ...chart.examples.map((example) => ({ ...own, name: 'as its authors test it', values: example }))],
    (one) => baseVariant(values, strict, templates, one),
  )
  const withoutChecks = await baseVariant(values, strict, templates, { ...variant, relaxed: true })
  if (failure !== undefined && withoutChecks.failure !== undefined)
    return { bindings: statics, unreachable: [], places: new Map(), variants: [], failure }
  const base = failure === undefined ? variant : withoutChecks.variant
  const render: Render =
    withoutChecks.failure === undefined ? strict : (options) => strict({ ...options, relaxed: false })

  const sighted = new Map<string, Sighted>()
  const used: Variant[] = []
  const look = async (variant: Variant, deep: boolean): Promise<void> => {
    const rendered = await render(optionsOf(variant))
    if (!rendered.ok) return
    const fields = fieldsByPlace(rendered.documents)
    const references = referencesOf(rendered.documents)
    const fresh = references.filter(({ place, text }) => !sighted.has(placeKey(place, text)))
    if (used.length > 0 && !deep && fresh.length === 0) return
    used.push(variant)
    for (const reference of fresh) {
      const one = sightedOf(reference, variant, used.length === 1)
      sighted.set(one.key, one)
    }
    if (!deep) return
    const scene: Scene = {
      render: (layer) =>
        render(optionsOf({ ...variant, relaxed: true, values: mergeValues(variant.values, layer) })),
      fields,
      base: values,
      mentions: templates.mentions,
      ...(chart.metadata.appVersion === undefined ? {} : { appVersion: chart.metadata.appVersion }),
    }
    await explain(scene, variant)
  }

  const note = ({ sightings }: Observation, variant: Variant): void => {
    for (const { place, text, shape, where, hook, at } of sightings) {
      const key = placeKey(place, text)
      const known = sighted.get(key)
      const entry: Sighted = known ?? {
        key,
        place,
        text,
        where,
        at,
        variant,
        inBase: false,
        shapes: [],
        ...(hook === undefined ? {} : { hook }),
      }
      if (known !== undefined && text !== undefined && known.text !== text && known.shapes.length > 0)
        continue
      entry.shapes.push(shape)
      sighted.set(key, entry)
    }
  }

  const explain = async (scene: Scene, variant: Variant): Promise<void> => {
    const texts = (): string[] =>
      [...sighted.values()].flatMap(({ text, shapes }) =>
        text === undefined || shapes.some(named) ? [] : [text],
      )
    const open = (): string[] =>
      [...sighted.values()].flatMap(({ text, shapes }) => {
        const literal = shapes[0]?.name.at(-1)
        const last = literal?.leaf === undefined ? literal?.text.split('/').at(-1) : undefined
        return text === undefined || last === undefined || last.length < 2 ? [] : [last]
      })
    const all = [...sighted.values()].flatMap(({ text }) => text ?? [])
    const { likely, spare, digests: empty, globals } = candidatesFor(values, statics, all)
    const natural = await observe(likely, scene)
    note(natural, variant)
    if (texts().length > 0) {
      const { possible } = candidatesFor(values, statics, texts())
      if (possible.length > 0) note(await observe(possible, scene), variant)
    }
    // A name whose last part is a template's own, or a leaf that nothing in its key gives away.
    const { possible: last } = candidatesFor(values, statics, open())
    if (last.length > 0) note(await observe([...likely, ...last], scene), variant)
    const live = likely.filter((candidate) => !natural.failing.includes(candidate))
    if (spare.length > 0) note(await observe([...live, ...spare], scene), variant)
    if (texts().length > 0) {
      const undeclared = undeclaredCandidates(values, templates)
      if (undeclared.length > 0) note(await observe(undeclared, scene), variant)
    }
    if (texts().length > 0 && globals.length > 0) note(await observe([...live, ...globals], scene), variant)
    if (digests && empty.length > 0) {
      const marked = await observe([...live, ...empty], scene)
      note(marked, variant)
      // Some charts write `sha256:` themselves.
      const bare = empty.filter((candidate) => marked.unseen.includes(candidate))
      if (bare.length > 0) note(await observe([...live, ...bare], { ...scene, bareDigests: true }), variant)
    }
    const undeclared = digests ? undeclaredDigests(values, statics) : []
    if (undeclared.length > 0) note(await observe([...live, ...undeclared], scene), variant)
  }

  const everything = await allOnVariant(chart, templates, values, render, base)
  await look(base, everything === undefined)
  for (const variant of [...(everything === undefined ? [] : [everything]), ...given.slice(1)])
    await look(variant, true)
  // What the base shows and the others do not.
  if (
    everything !== undefined &&
    [...sighted.values()].some(({ inBase, shapes }) => inBase && !shapes.some(named))
  )
    await look(base, true)
  const seen = (): Set<string> =>
    new Set([...sighted.values()].flatMap(({ shapes }) => shapes.flatMap(leafTexts)))
  const hidden = statics.filter(({ leaves }) => !leaves.some(({ path }) => seen().has(pathText(path))))
  for (const variant of await targetedVariants(hidden, templates, chart, values, render, base))
    await look(variant, true)

  const rendered = assembleBindings([...sighted.values()], values)
  const taken = new Set(rendered.bindings.flatMap(({ leaves }) => leaves.map(({ path }) => pathText(path))))
  const mentioned = templates.mentions.map(({ path }) => pathText(path))
  const unproven = statics.filter(
    ({ leaves, path }) =>
      !leaves.some((leaf) => leaf.role !== 'tag' && taken.has(pathText(leaf.path))) &&
      isMentioned(path, mentioned),
  )
  const shown = new Set([...sighted.values()].flatMap(({ text }) => text ?? []))
  return {
    bindings: [
      ...rendered.bindings,
      ...unproven.map((binding) => ({ ...binding, note: 'no render showed it', variant: 'unknown' })),
    ],
    unreachable: [
      ...rendered.unreachable,
      ...templates.literals
        .filter(
          ({ reference }) => !shown.has(reference) && ![...shown].some((text) => text.includes(reference)),
        )
        .map(({ reference, file, line }) => ({
          reference: normalisedReference(reference) ?? reference,
          at: `${file}:${line}`,
          reason: 'it is written in a template',
          unrendered: true,
        })),
    ],
    places: rendered.places,
    variants: used,
    ...(failure === undefined && complaint === undefined ? {} : { failure: failure ?? complaint ?? '' }),
  }
}

// --- internal ---

interface Base {
  readonly variant: Variant
  readonly failure?: string
  /** Why the user's own layers are not what is rendered. */
  readonly complaint?: string
}

/** The user's own layers; where they alone do not render, the values that the chart's authors test it with. */
async function firstThatRenders(
  variants: readonly Variant[],
  attempt: (variant: Variant) => Promise<Base>,
): Promise<Base> {
  let first: Base | undefined
  for (const variant of variants) {
    const tried = await attempt(variant)
    if (tried.failure === undefined)
      return first?.failure === undefined ? tried : { ...tried, complaint: first.failure }
    first ??= tried
  }
  return first ?? { variant: { name: 'as given', values: {} } }
}

const named = (shape: { name: readonly { leaf?: unknown }[] }): boolean =>
  shape.name.some(({ leaf }) => leaf !== undefined)

const leafTexts = (shape: Sighted['shapes'][number]): string[] =>
  [...shape.name, ...shape.tag, ...shape.digest].flatMap(({ leaf }) =>
    leaf === undefined ? [] : [pathText(leaf)],
  )

const sightedOf = (
  { place, text, where, hook, kind, name, path }: RenderedReference,
  variant: Variant,
  inBase: boolean,
): Sighted => ({
  key: placeKey(place, text),
  place,
  text,
  where,
  at: `${kind}/${name} ${path}`,
  variant,
  inBase,
  shapes: [],
  ...(hook === undefined ? {} : { hook }),
  ...(looksLikeStem(text) ? { stem: true } : {}),
})

/** Some template reads the place, a part of it, a map around it, or a neighbour. */
function isMentioned(path: Path, mentioned: readonly string[]): boolean {
  const own = pathText(path)
  const around = path.length > 1 ? pathText(path.slice(0, -1)) : own
  return mentioned.some((text) => text === own || text.startsWith(`${around}.`) || own.startsWith(`${text}.`))
}
