import type { Binding, Mode } from '../binding.ts'
import type { TemplateText } from '../chart/template-text.ts'
import { nameOf, normalisedReference } from '../reference-text.ts'
import type { RenderedDocument } from '../render/documents.ts'
import { isMadeUp, MADE_UP } from '../render/made-up.ts'
import { placeKey, referencesOf } from '../render/rendered.ts'
import { optionsOf, type Render, type Variant } from '../render/variant.ts'
import { mergeValues, pathText, setAt, valueAt, type Path, type Values } from '../tree.ts'

/**
 * What an override relies on beside the values it writes: where a leaf is empty, a template says what it stands for,
 * and may say it by an edition, a licence or a switch. Once the leaf is written it no longer does.
 * @param shown what the chart renders as it is installed
 */
export async function findModes(
  bindings: readonly Binding[],
  places: ReadonlyMap<string, Binding>,
  shown: readonly RenderedDocument[],
  { templates, values }: { readonly templates: TemplateText; readonly values: Values },
  render: Render,
  base: Variant,
): Promise<Mode[]> {
  const reliant = bindings.filter((binding) => binding.proven && leadOf(binding, values) !== undefined)
  const switches = new Map<string, Path>()
  for (const binding of reliant)
    for (const path of switchesNear(leadOf(binding, values) ?? [], templates, values))
      switches.set(pathText(path), path)
  const before = referencesOf(shown)
  const modes = new Map<string, Mode>()
  for (const path of [...switches.values()].toSorted((a, b) => weight(b) - weight(a)).slice(0, FLIPS)) {
    const now = valueAt(values, path)
    const other = otherValue(path, now, templates)
    const layer: Values = {}
    setAt(layer, path, other, values)
    const rendered = await render(optionsOf({ ...base, values: mergeValues(base.values, layer) }))
    if (!rendered.ok) continue
    const after = new Map(referencesOf(rendered.documents).map(({ place, text }) => [place, text]))
    for (const { place, text } of before) {
      const binding = places.get(placeKey(place, text))
      const instead = after.get(place)
      if (binding === undefined || instead === undefined || !reliant.includes(binding)) continue
      if (nameOf(instead) === nameOf(text) || isMadeUp(instead)) continue
      modes.set(`${pathText(binding.path)} ${pathText(path)}`, {
        path: pathText(binding.path),
        reference: normalisedReference(text) ?? text,
        when: pathText(path),
        is: wordOf(now),
        otherwise: other !== MADE_UP ? wordOf(other) : wordOf(now) === NOT_SET ? 'set' : 'another',
        instead: normalisedReference(instead) ?? instead,
      })
    }
  }
  return [...modes.values()]
}

// --- internal ---

/** Renders for what a default may depend on. */
const FLIPS = 8

/** The leaf that is written first, when it is empty now: a template holds what it stands for. */
function leadOf({ recipes }: Binding, values: Values): Path | undefined {
  const lead = recipes.map(({ shape }) => shape.name[0]?.leaf).find((leaf) => leaf !== undefined)
  const value = lead === undefined ? undefined : valueAt(values, lead)
  return lead !== undefined && (value === undefined || value === null || value === '') ? lead : undefined
}

/** Values that the same piece of a template reads and that have more than one state. */
function switchesNear(leaf: Path, templates: TemplateText, values: Values): Path[] {
  const own = pathText(leaf)
  const around = pathText(leaf.slice(0, -1))
  const near = templates.mentions.filter(({ path }) => pathText(path) === own || pathText(path) === around)
  const pieces = new Set(near.map(({ define, file }) => define ?? file))
  return templates.mentions.flatMap(({ path, define, file }) => {
    if (!pieces.has(define ?? file)) return []
    const value = valueAt(values, path)
    const isMode = templates.modes.has(pathText(path))
    const isLicence = (value === '' || value === null) && LICENCE.test(pathText(path))
    return pathText(path) !== own && (typeof value === 'boolean' || isMode || isLicence) ? [path] : []
  })
}

const LICENCE = /licen[sc]e|enterprise|edition|token/i
const TELLING = /licen[sc]e|enterprise|edition|mode|type|flavou?r|fips|ubi|variant|distribution/i

const weight = (path: Path): number => (TELLING.test(pathText(path)) ? 1 : 0)

function otherValue(path: Path, now: unknown, { modes }: TemplateText): unknown {
  if (typeof now === 'boolean') return !now
  return modes.get(pathText(path))?.find((mode) => mode !== now) ?? MADE_UP
}

const NOT_SET = 'not set'

const wordOf = (value: unknown): string =>
  value === undefined || value === null || value === ''
    ? NOT_SET
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
