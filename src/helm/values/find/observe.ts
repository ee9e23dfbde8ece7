import type { Shape, Where } from '../binding.ts'
import type { RenderedDocument } from '../render/documents.ts'
import { grow, pathsNamed } from '../render/largest-working-set.ts'
import type { Rendered } from '../render/helm.ts'
import { mentionsIn, type Mention } from '../reference-text.ts'
import { fieldsOf, placeOf, type Field } from '../render/rendered.ts'
import {
  leavesOfShape,
  marksIn,
  markedValues,
  sentinelsFor,
  shapeOf,
  unmarked,
  type Candidate,
  type Sentinel,
} from './sentinel.ts'
import type { ValueMention } from '../chart/template-text.ts'
import { pathText, type Values } from '../tree.ts'

/** A reference of a render, taken apart into what comes from which leaf. */
export interface Sighting {
  /** As in `RenderedReference`. */
  readonly place: string
  /** As rendered without marks; undefined when the reference appears only once its leaves are set. */
  readonly text: string | undefined
  readonly shape: Shape
  readonly where: Where
  readonly hook?: string
  readonly at: string
}

export interface Observation {
  readonly sightings: readonly Sighting[]
  /** Leaves that were marked and appear nowhere in a reference. */
  readonly unseen: readonly Candidate[]
  /** Leaves whose mark makes the chart fail. */
  readonly failing: readonly Candidate[]
}

export interface Scene {
  /** Renders with one more layer of values. */
  readonly render: (layer: Values) => Promise<Rendered>
  /** The same scene without marks. */
  readonly fields: ReadonlyMap<string, Field>
  readonly base: Values
  readonly appVersion?: string
  /** Mark empty digests without `sha256:`. */
  readonly bareDigests?: boolean
  readonly mentions: readonly ValueMention[]
}

export const fieldsByPlace = (documents: readonly RenderedDocument[]): Map<string, Field> =>
  new Map([...fieldsOf(documents)].map((field) => [field.place, field]))

/** Renders once with a mark in every candidate, fewer where a mark makes it fail, and reads back where they land. */
export async function observe(
  candidates: readonly Candidate[],
  scene: Scene,
  tries?: number,
): Promise<Observation> {
  const sentinels = sentinelsFor(candidates, scene.appVersion, scene.bareDigests)
  const { result, rejected } = await grow<Sentinel, readonly RenderedDocument[]>(
    sentinels,
    async (some) => {
      const rendered = await scene.render(markedValues(some, scene.base))
      return rendered.ok ? { ok: true, result: rendered.documents } : rendered
    },
    [],
    (message, some) => {
      const marked = some.filter(({ mark }) => message.includes(mark))
      if (marked.length > 0) return marked
      const paths = new Set(
        pathsNamed(
          message,
          some.map(({ candidate }) => candidate.path),
          scene.mentions,
        ),
      )
      return some.filter(({ candidate }) => paths.has(candidate.path))
    },
    tries,
  )
  const sightings: Sighting[] = []
  for (const field of fieldsOf(result)) {
    const marks = marksIn(field.text, sentinels)
    if (marks.length > 0)
      sightings.push(
        ...sightingsIn(
          field,
          scene.fields.get(field.place) ?? scene.fields.get(unmarked(field.place, sentinels)),
          marks,
        ),
      )
  }
  const seen = new Set(sightings.flatMap(({ shape }) => leavesOfShape(shape).map(pathText)))
  return {
    sightings,
    unseen: candidates.filter(({ path }) => !seen.has(pathText(path))),
    failing: rejected.map(({ candidate }) => candidate),
  }
}

// --- internal ---

function sightingsIn(field: Field, before: Field | undefined, marks: readonly Sentinel[]): Sighting[] {
  const marked = (token: string): boolean => marks.some(({ mark }) => token.includes(mark))
  const tokens = mentionsIn(field.text, field.hint, marked)
  const originals = before === undefined ? [] : before.mentions()
  const found: Sighting[] = []
  const paired = pair(tokens, originals, marks)
  for (const [at, token] of tokens.entries()) {
    if (!marked(token.text)) continue
    const original = paired.get(at)
    const shape = shapeOf(token.text, marks)
    if (original === undefined && !(originals.length === 0 && isNewReference(field, token, shape))) continue
    const index = original === undefined ? at : originals.indexOf(original)
    const { place, where, hook, kind, name, path } = placeOf(before ?? field, index)
    found.push({
      place,
      text: original?.text,
      shape,
      where,
      ...(hook === undefined ? {} : { hook }),
      at: `${kind}/${name} ${path}`,
    })
  }
  return found
}

/** Which marked token stands where which reference stood. */
function pair(
  tokens: readonly Mention[],
  originals: readonly Mention[],
  marks: readonly Sentinel[],
): Map<number, Mention> {
  const paired = new Map<number, Mention>()
  const free = new Set(originals)
  const claim = (match: (token: Mention, original: Mention) => boolean): void => {
    for (const [at, token] of tokens.entries()) {
      if (paired.has(at)) continue
      for (const original of free) {
        if (!match(token, original)) continue
        paired.set(at, original)
        free.delete(original)
        break
      }
    }
  }
  claim((token, original) => unmarked(token.text, marks) === original.text)
  if (free.size === 0) return paired
  if (tokens.length === originals.length) {
    for (const [at] of tokens.entries()) {
      const original = originals[at]
      if (!paired.has(at) && original !== undefined && free.has(original)) {
        paired.set(at, original)
        free.delete(original)
      }
    }
  }
  claim((token, original) => lastPart(unmarked(token.text, marks)) === lastPart(original.text))
  return paired
}

const lastPart = (text: string): string => text.slice(text.lastIndexOf('/') + 1).replace(/[:@].*$/, '')

/** A reference that the chart leaves out while its leaves are empty. */
function isNewReference({ hint, where }: Field, { text }: Mention, shape: Shape): boolean {
  const leaves = leavesOfShape({ name: shape.name, tag: [], digest: [] }).filter(
    (path) => !/tag|version|digest|sha$/i.test(String(path.at(-1))),
  )
  if (leaves.length === 0) return false
  const speaks = leaves.some((path) => path.some((step) => /image|img/i.test(String(step))))
  if (where === 'configmap' || where === 'secret') return speaks && hint !== 'none' && /[:/]/.test(text)
  return (
    hint === 'image' || (speaks && (hint === 'named' || shape.tag.some(({ leaf }) => leaf !== undefined)))
  )
}
