import type { Chart } from '../chart/files.ts'
import type { RenderedDocument } from '../render/documents.ts'
import { isMadeUp } from '../render/made-up.ts'
import { referencesOf } from '../render/rendered.ts'
import { optionsOf, type Render, type Variant } from '../render/variant.ts'
import { mergeValues, type Values } from '../tree.ts'
import { explainScene, type Knowledge } from './explain.ts'
import { fieldsByPlace, type Scene } from './observe.ts'
import { createSightings, type Sightings } from './sightings.ts'

/** Looks at a chart in one variant after another, and keeps what it sees. */
export interface Looker {
  /** @param depth `shallow` notes the references; `deep` also takes them apart; `wide` tries every knob there is */
  look(variant: Variant, depth: 'shallow' | 'deep' | 'wide'): Promise<void>
  readonly sightings: Sightings
  /** The variants that showed something, the first of which is the chart as it is installed. */
  readonly variants: readonly Variant[]
  /** What the first variant renders. */
  readonly installed: readonly RenderedDocument[]
}

export function createLooker(chart: Chart, values: Values, render: Render, knowledge: Knowledge): Looker {
  const sightings = createSightings()
  const variants: Variant[] = []
  let installed: readonly RenderedDocument[] = []
  const { appVersion } = chart.metadata

  const sceneOf = (variant: Variant, documents: readonly RenderedDocument[]): Scene => ({
    render: (layer) =>
      render(
        optionsOf({
          ...variant,
          relaxed: variant.relaxed !== false,
          values: mergeValues(variant.values, layer),
        }),
      ),
    fields: fieldsByPlace(documents),
    base: values,
    mentions: knowledge.templates.mentions,
    ...(appVersion === undefined ? {} : { appVersion }),
  })

  return {
    sightings,
    variants,
    get installed() {
      return installed
    },
    async look(variant, depth) {
      const rendered = await render(optionsOf(variant))
      if (!rendered.ok) return
      const { documents } = rendered
      // What stands in a value that was made up is not what will be pulled.
      const fresh = referencesOf(documents).filter(
        (reference) => !isMadeUp(reference.text) && !sightings.has(reference),
      )
      if (variants.length === 0) installed = documents
      else if (depth === 'shallow' && fresh.length === 0) return
      if (!variants.some((one) => one.values === variant.values)) variants.push(variant)
      for (const reference of fresh) sightings.add(reference, variant, variants.length === 1)
      if (depth !== 'shallow')
        await explainScene(sceneOf(variant, documents), variant, sightings, knowledge, depth === 'wide')
    },
  }
}
