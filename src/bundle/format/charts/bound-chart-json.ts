import { createDecoder } from '../json-decoder.ts'
import type {
  Binding,
  ImageUse,
  ValuesLeaf,
  Need,
  Piece,
  Recipe,
  RenderRefusal,
  LeafRole,
  Shape,
  SpareLeaf,
  Where,
} from '../../../helm/values/binding.ts'
import type { Path } from '../../../helm/values/tree.ts'
import type { BoundChart, OperandKind } from './bound-chart.ts'

const decoder = createDecoder('image bindings')

/** Reads the bindings that `bundle.json` carries; strictly, because values are written from them. */
export function decodeBoundCharts(value: unknown): readonly BoundChart[] {
  if (value === undefined) return []
  return decoder.list(value).map((item): BoundChart => {
    const { chart, version, rendered, bindings, notLanded, uses, operands, modes, refusal, unreachable } =
      decoder.object(item)
    return {
      chart: decoder.string(chart),
      version: decoder.string(version),
      rendered: rendered === true,
      bindings: decoder.list(bindings).map(binding),
      notLanded: decoder.list(notLanded).map((one) => texts(one, 'path', 'reference', 'reason')),
      ...(uses === undefined ? {} : { uses: decoder.list(uses).map(imageUse) }),
      ...(operands === undefined ? {} : { operands: decodeOperands(operands) }),
      ...(modes === undefined
        ? {}
        : {
            modes: decoder
              .list(modes)
              .map((one) => texts(one, 'path', 'reference', 'when', 'is', 'otherwise', 'instead')),
          }),
      ...(refusal === undefined ? {} : { refusal: refusalOf(refusal) }),
      unreachable: decoder.list(unreachable).map((one) => texts(one, 'reference', 'at', 'reason')),
    }
  })
}

/** @throws an integrity error for another word */
export function decodeNeed(value: unknown): Need {
  const need = decoder.string(value)
  if (need !== 'needed' && need !== 'on-demand' && need !== 'unknown') throw decoder.damaged()
  return need
}

export const decodeOperands = (value: unknown): readonly OperandKind[] =>
  decoder.list(value).map((one) => {
    const { kind, fields } = decoder.object(one)
    return { kind: decoder.string(kind), fields: decoder.list(fields).map(decoder.string) }
  })

// --- internal ---

function refusalOf(value: unknown): RenderRefusal {
  const { message, instead, filled } = decoder.object(value)
  if (instead !== 'filled' && instead !== 'example' && instead !== 'unchecked') throw decoder.damaged()
  return { message: decoder.string(message), instead, filled: decoder.list(filled).map(decoder.string) }
}

function imageUse(value: unknown): ImageUse {
  const { reference, at, path: dotted, need, when, applied, hook } = decoder.object(value)
  return {
    reference: decoder.string(reference),
    at: decoder.string(at),
    ...(dotted === undefined ? {} : { path: decoder.string(dotted) }),
    need: decodeNeed(need),
    ...(when === undefined ? {} : { when: decoder.string(when) }),
    ...(applied === true ? { applied } : {}),
    ...(hook === undefined ? {} : { hook: decoder.string(hook) }),
  }
}

const ROLES: readonly string[] = [
  'reference',
  'registry',
  'repository',
  'name',
  'tag',
  'digest',
] satisfies LeafRole[]
const WHERES: readonly string[] = ['image', 'arg', 'env', 'configmap', 'secret', 'cr'] satisfies Where[]
const isRole = (text: string): text is LeafRole => ROLES.includes(text)
const isWhere = (text: string): text is Where => WHERES.includes(text)

function texts<Key extends string>(value: unknown, ...keys: readonly Key[]): Record<Key, string> {
  const from = decoder.object(value)
  return Object.fromEntries(keys.map((key) => [key, decoder.string(from[key])])) as Record<Key, string>
}

const path = (value: unknown): Path =>
  decoder.list(value).map((step) => {
    if (typeof step === 'number' && Number.isSafeInteger(step) && step >= 0) return step
    return decoder.string(step)
  })

function binding(value: unknown): Binding {
  const from = decoder.object(value)
  const where = decoder.string(from['where'])
  if (!isWhere(where)) throw decoder.damaged()
  const optional = (key: string) => (from[key] === undefined ? {} : { [key]: decoder.string(from[key]) })
  return {
    path: path(from['path']),
    leaves: decoder.list(from['leaves']).map(leaf),
    reference: decoder.string(from['reference']),
    references: decoder.list(from['references']).map(decoder.string),
    where,
    at: decoder.list(from['at']).map(decoder.string),
    proven: from['proven'] === true,
    recipes: decoder.list(from['recipes']).map(recipe),
    ...(from['stem'] === true ? { stem: true } : {}),
    ...(from['consents'] === undefined ? {} : { consents: decoder.list(from['consents']).map(path) }),
    ...optional('hook'),
    ...optional('variant'),
    ...optional('note'),
  }
}

function leaf(value: unknown): ValuesLeaf {
  const from = decoder.object(value)
  const role = decoder.string(from['role'])
  if (!isRole(role)) throw decoder.damaged()
  return { path: path(from['path']), role, declared: from['declared'] === true }
}

function recipe(value: unknown): Recipe {
  const { shape: made, tag, digest } = decoder.object(value)
  return {
    shape: shape(made),
    ...(tag === undefined ? {} : { tag: spare(tag) }),
    ...(digest === undefined ? {} : { digest: spare(digest) }),
  }
}

function shape(value: unknown): Shape {
  const { name, tag, digest } = decoder.object(value)
  return {
    name: decoder.list(name).map(piece),
    tag: decoder.list(tag).map(piece),
    digest: decoder.list(digest).map(piece),
  }
}

function piece(value: unknown): Piece {
  const { text, leaf: at, scheme } = decoder.object(value)
  return {
    text: decoder.string(text),
    ...(at === undefined ? {} : { leaf: path(at) }),
    ...(scheme === undefined ? {} : { scheme: decoder.string(scheme) }),
  }
}

function spare(value: unknown): SpareLeaf {
  const { path: at, before, after, replacesTag } = decoder.object(value)
  return {
    path: path(at),
    before: decoder.string(before),
    after: decoder.string(after),
    ...(replacesTag === true ? { replacesTag } : {}),
  }
}
