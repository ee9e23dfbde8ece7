import { assembleBindings } from './find/assemble.ts'
import type { Binding, Unreachable } from './binding.ts'
import type { Chart } from './chart/files.ts'
import { effectiveValues } from './chart/effective.ts'
import { explainScene } from './find/explain.ts'
import type { Renderer } from './render/helm.ts'
import { baseVariant, firstThatRenders } from './render/fix-rendering.ts'
import { fieldsByPlace, type Scene } from './find/observe.ts'
import { normalisedReference } from './reference-text.ts'
import { referencesOf } from './render/rendered.ts'
import { createSightings, isLed } from './find/sightings.ts'
import { findStatic } from './static.ts'
import { readTemplates } from './chart/template-text.ts'
import { mergeValues, pathText, type Path, type Values } from './tree.ts'
import { optionsOf, type Render, type Variant } from './render/variant.ts'
import { allOnVariant, targetedVariants } from './render/variants.ts'

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

  const sightings = createSightings()
  const used: Variant[] = []
  const look = async (variant: Variant, deep: boolean): Promise<void> => {
    const rendered = await render(optionsOf(variant))
    if (!rendered.ok) return
    const fields = fieldsByPlace(rendered.documents)
    const references = referencesOf(rendered.documents)
    const fresh = references.filter((reference) => !sightings.has(reference))
    if (used.length > 0 && !deep && fresh.length === 0) return
    if (!used.some(({ values: same }) => same === variant.values)) used.push(variant)
    for (const reference of fresh) sightings.add(reference, variant, used.length === 1)
    if (!deep) return
    const scene: Scene = {
      render: (layer) =>
        render(
          optionsOf({
            ...variant,
            relaxed: variant.relaxed !== false,
            values: mergeValues(variant.values, layer),
          }),
        ),
      fields,
      base: values,
      mentions: templates.mentions,
      ...(chart.metadata.appVersion === undefined ? {} : { appVersion: chart.metadata.appVersion }),
    }
    await explainScene(scene, variant, sightings, { statics, templates, digests })
  }

  const everything = await allOnVariant(chart, templates, values, render, base)
  await look(base, everything === undefined)
  for (const variant of [...(everything === undefined ? [] : [everything]), ...given.slice(1)])
    await look(variant, true)
  // What the base shows and the others do not.
  if (everything !== undefined && sightings.all().some(({ inBase, shapes }) => inBase && !shapes.some(isLed)))
    await look(base, true)
  // Last, the chart with all that the relaxed copy leaves out.
  const literal = new Set(templates.literals.map(({ reference }) => reference))
  if (failure === undefined && sightings.unexplained().some((text) => !literal.has(text)))
    await look({ ...base, relaxed: false }, true)
  const seen = sightings.leaves()
  const hidden = statics.filter(({ leaves }) => !leaves.some(({ path }) => seen.has(pathText(path))))
  for (const variant of await targetedVariants(hidden, templates, chart, values, render, base))
    await look(variant, true)

  const rendered = assembleBindings(sightings.all(), values)
  const taken = new Set(rendered.bindings.flatMap(({ leaves }) => leaves.map(({ path }) => pathText(path))))
  const mentioned = templates.mentions.map(({ path }) => pathText(path))
  const unproven = statics.filter(
    ({ leaves, path }) =>
      !leaves.some((leaf) => leaf.role !== 'tag' && taken.has(pathText(leaf.path))) &&
      isMentioned(path, mentioned),
  )
  const shown = new Set(sightings.all().flatMap(({ text }) => text ?? []))
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

/** Some template reads the place, a part of it, a map around it, or a neighbour. */
function isMentioned(path: Path, mentioned: readonly string[]): boolean {
  const own = pathText(path)
  const around = path.length > 1 ? pathText(path.slice(0, -1)) : own
  return mentioned.some((text) => text === own || text.startsWith(`${around}.`) || own.startsWith(`${text}.`))
}
