import type { Sighted } from './assemble.ts'
import type { Shape } from '../binding.ts'
import type { Observation } from './observe.ts'
import { isMadeUp } from '../render/made-up.ts'
import { placeKey, type RenderedReference } from '../render/rendered.ts'
import { pathText } from '../tree.ts'
import type { Variant } from '../render/variant.ts'

/** What a search has seen so far, by place and reference. */
export interface Sightings {
  all(): readonly Sighted[]
  has(reference: RenderedReference): boolean
  /** A reference that a variant renders, not yet taken apart. */
  add(reference: RenderedReference, variant: Variant, inBase: boolean): void
  /** References that marks took apart. */
  note(observation: Observation, variant: Variant): void
  /** References that no known leaf can point elsewhere: what a name begins with is the template's own. */
  unexplained(): readonly string[]
  /** Last parts of names that seem to be a template's own. */
  literalEnds(): readonly string[]
  /** Leaves that take part in some reference. */
  leaves(): ReadonlySet<string>
}

export function createSightings(): Sightings {
  const sighted = new Map<string, Sighted>()
  return {
    all: () => [...sighted.values()],
    has: ({ place, text }) => sighted.has(placeKey(place, text)),
    add({ place, text, where, hook, kind, name, path, stem }, variant, inBase) {
      const key = placeKey(place, text)
      sighted.set(key, {
        key,
        place,
        text,
        where,
        at: `${kind}/${name} ${path}`,
        variant,
        inBase,
        shapes: [],
        ...(hook === undefined ? {} : { hook }),
        ...(stem === true ? { stem } : {}),
      })
    },
    note({ sightings }, variant) {
      for (const { place, text, shape, where, hook, at } of sightings) {
        if (text !== undefined && isMadeUp(text)) continue
        const key = placeKey(place, text)
        const known = sighted.get(key)
        if (known !== undefined) known.shapes.push(shape)
        else {
          const hooked = hook === undefined ? {} : { hook }
          sighted.set(key, {
            key,
            place,
            text,
            where,
            at,
            variant,
            inBase: false,
            shapes: [shape],
            ...hooked,
          })
        }
      }
    },
    unexplained: () =>
      [...sighted.values()].flatMap(({ text, shapes }) =>
        text === undefined || shapes.some(isLed) ? [] : [text],
      ),
    literalEnds: () =>
      [...sighted.values()].flatMap(({ text, shapes }) => {
        const end = shapes[0]?.name.at(-1)
        const last = end?.leaf === undefined ? end?.text.split('/').at(-1) : undefined
        return text === undefined || last === undefined || last.length < 2 ? [] : [last]
      }),
    leaves: () => new Set([...sighted.values()].flatMap(({ shapes }) => shapes.flatMap(leafTexts))),
  }
}

/** The name begins with what a leaf holds, so that another registry can be put there. */
export const isLed = ({ name }: Shape): boolean => name[0]?.leaf !== undefined

// --- internal ---

const leafTexts = ({ name, tag, digest }: Shape): string[] =>
  [...name, ...tag, ...digest].flatMap(({ leaf }) => (leaf === undefined ? [] : [pathText(leaf)]))
