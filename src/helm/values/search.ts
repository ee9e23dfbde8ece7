import { assembleBindings } from './find/assemble.ts'
import type { Binding, Mode, OpenName, RenderRefusal, Unreachable } from './binding.ts'
import type { Chart } from './chart/files.ts'
import { effectiveValues } from './chart/effective.ts'
import type { HelmRenderer } from './render/helm.ts'
import { baseVariant, firstThatRenders } from './render/fix-rendering.ts'
import { nameOf, normalisedReference } from './reference-text.ts'
import { createLooker, type Looker } from './find/looker.ts'
import { findModes } from './find/modes.ts'
import { isLed } from './find/sightings.ts'
import { openNames } from './find/open-names.ts'
import { findStatic } from './static.ts'
import { readTemplates, type TemplateText } from './chart/template-text.ts'
import { leavesOf, pathText, valueAt, type Path, type Values } from './tree.ts'
import type { Render, Variant } from './render/variant.ts'
import { allOnVariant, targetedVariants } from './render/variants.ts'

export interface Search {
  readonly bindings: readonly Binding[]
  readonly unreachable: readonly Unreachable[]
  /** Names that may become references when a program runs. */
  readonly open: readonly OpenName[]
  /** Which binding makes the reference at a place of a render, by `placeKey`. */
  readonly places: ReadonlyMap<string, Binding>
  /** The variants that were rendered; the first is the user's own layers. */
  readonly variants: readonly Variant[]
  /** Defaults that an override relies on. */
  readonly modes: readonly Mode[]
  /** Looks once more, at every knob there is: for bindings of which nothing that was written landed. */
  readonly again?: () => Promise<Search>
  /** When the chart does not render with the user's layers alone. */
  readonly refusal?: RenderRefusal
  /** Helm's words when nothing made the chart render. */
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
  renderer: HelmRenderer,
  { variants: given = [], digests = false }: SearchOptions = {},
): Promise<Search> {
  const values = effectiveValues(chart, layers)
  const statics = findStatic(chart, layers)
  const templates = readTemplates(chart)
  const strict: Render = (options) =>
    renderer.template({ ...options, values: [...layers, ...(options.values ?? [])] })
  const own = given[0] ?? { name: 'as given', values: {} }
  const { variant, failure, complaint } = await firstThatRenders(
    [own, ...chart.examples.map((example) => ({ ...own, name: AS_TESTED, values: example }))],
    (one) => baseVariant(values, strict, templates, one),
  )
  const withoutChecks = await baseVariant(values, strict, templates, { ...variant, relaxed: true })
  if (failure !== undefined && withoutChecks.failure !== undefined)
    return {
      bindings: statics,
      unreachable: [],
      open: [],
      places: new Map(),
      modes: [],
      variants: [],
      failure,
    }
  const base = failure === undefined ? variant : withoutChecks.variant
  const render: Render =
    withoutChecks.failure === undefined ? strict : (options) => strict({ ...options, relaxed: false })
  const refusal = refusalOf(failure ?? complaint, failure !== undefined, own, base)

  const looker = createLooker(chart, values, render, { statics, templates, digests })
  const { sightings } = looker
  const everything = await allOnVariant(chart, templates, values, render, base)
  await looker.look(base, everything === undefined ? 'deep' : 'shallow')
  for (const variant of [...(everything === undefined ? [] : [everything]), ...given.slice(1)])
    await looker.look(variant, 'deep')
  // What the base shows and the others do not.
  if (everything !== undefined && sightings.all().some(({ inBase, shapes }) => inBase && !shapes.some(isLed)))
    await looker.look(base, 'deep')
  // Last, the chart with all that the relaxed copy leaves out.
  const literal = new Set(templates.literals.flatMap((one) => (one.fixed ? [one.reference] : [])))
  if (failure === undefined && sightings.unexplained().some((text) => !literal.has(text)))
    await looker.look({ ...base, relaxed: false }, 'deep')
  const seen = sightings.leaves()
  const hidden = statics.filter(({ leaves }) => !leaves.some(({ path }) => seen.has(pathText(path))))
  for (const variant of await targetedVariants(hidden, templates, chart, values, render, base))
    await looker.look(variant, 'deep')

  const result = resultOf(looker, statics, templates, values)
  const found: Omit<Search, 'again'> = {
    ...result,
    modes: await findModes(
      result.bindings,
      result.places,
      looker.installed,
      { templates, values },
      render,
      base,
    ),
    ...(refusal === undefined ? {} : { refusal }),
  }
  return {
    ...found,
    async again() {
      for (const variant of looker.variants.slice(0, 2)) await looker.look(variant, 'wide')
      return { ...found, ...resultOf(looker, statics, templates, values) }
    },
  }
}

// --- internal ---

function resultOf(
  { sightings, variants, installed }: Looker,
  statics: readonly Binding[],
  templates: TemplateText,
  values: Values,
): Omit<Search, 'again' | 'modes'> {
  const rendered = assembleBindings(sightings.all(), values)
  const taken = new Set(rendered.bindings.flatMap(({ leaves }) => leaves.map(({ path }) => pathText(path))))
  const mentioned = templates.mentions.map(({ path }) => pathText(path))
  const unproven = statics.filter(
    ({ leaves, path }) =>
      !leaves.some((leaf) => leaf.role !== 'tag' && taken.has(pathText(leaf.path))) &&
      isMentioned(path, mentioned),
  )
  const texts = [...new Set(sightings.all().flatMap(({ text }) => text ?? []))]
  return {
    bindings: [
      ...rendered.bindings,
      ...unproven.map((binding) => ({
        ...binding,
        references: isGuess(binding) ? [] : binding.references,
        note: 'no render showed it',
        variant: 'unknown',
      })),
    ],
    unreachable: [
      ...rendered.unreachable,
      ...templates.literals
        .filter(({ reference }) => !texts.some((text) => text.includes(reference)))
        .map(({ reference, file, line }) => ({
          reference: normalisedReference(reference) ?? reference,
          at: `${file}:${line}`,
          reason: 'it is written in a template',
          unrendered: true,
        })),
    ],
    open: [
      ...openNames(installed, sightings.all()),
      ...unproven.filter(isGuess).flatMap((binding) =>
        binding.references.map((reference) => ({
          text: nameOf(reference),
          at: `values ${pathText(binding.path)}`,
          reason: 'a name without a version, which no render shows',
        })),
      ),
    ],
    places: rendered.places,
    variants,
  }
}

/** No value names the version, so that without a render nobody knows it. */
const isGuess = ({ recipes, stem }: Binding): boolean =>
  stem !== true &&
  recipes.every(({ shape }) => [...shape.tag, ...shape.digest].every(({ leaf }) => leaf === undefined))

const AS_TESTED = 'as its authors test it'

function refusalOf(
  message: string | undefined,
  unchecked: boolean,
  own: Variant,
  base: Variant,
): RenderRefusal | undefined {
  if (message === undefined) return undefined
  const filled = [...leavesOf(base.values)]
    .filter(({ path, value }) => path.length > 0 && valueAt(own.values, path) !== value)
    .map(({ path }) => pathText(path))
  const isExample = base.name === AS_TESTED
  return {
    message,
    instead: unchecked ? 'unchecked' : isExample ? 'example' : 'filled',
    filled: isExample ? [] : filled,
  }
}

/** Some template reads the place, a part of it, a map around it, or a neighbour. */
function isMentioned(path: Path, mentioned: readonly string[]): boolean {
  const own = pathText(path)
  const around = path.length > 1 ? pathText(path.slice(0, -1)) : own
  return mentioned.some((text) => text === own || text.startsWith(`${around}.`) || own.startsWith(`${text}.`))
}
