import type { Binding, Leaf, Piece, Recipe, Role, Shape, Spare, Where } from '../helm/values/binding.ts'
import type { Path } from '../helm/values/tree.ts'
import { integrityError } from '../lib/errors.ts'
import { isObject } from '../oci/manifest.ts'
import type { BoundChart } from './bound-chart.ts'

/** Reads the bindings that `bundle.json` carries; strictly, because values are written from them. */
export function decodeBoundCharts(value: unknown): readonly BoundChart[] {
  if (value === undefined) return []
  return list(value).map((item): BoundChart => {
    const { chart, version, rendered, bindings, notLanded, unreachable } = object(item)
    return {
      chart: string(chart),
      version: string(version),
      rendered: rendered === true,
      bindings: list(bindings).map(binding),
      notLanded: list(notLanded).map((one) => texts(one, 'path', 'reference', 'reason')),
      unreachable: list(unreachable).map((one) => texts(one, 'reference', 'at', 'reason')),
    }
  })
}

// --- internal ---

const ROLES: readonly string[] = [
  'reference',
  'registry',
  'repository',
  'name',
  'tag',
  'digest',
] satisfies Role[]
const WHERES: readonly string[] = ['image', 'arg', 'env', 'configmap', 'secret', 'cr'] satisfies Where[]
const isRole = (text: string): text is Role => ROLES.includes(text)
const isWhere = (text: string): text is Where => WHERES.includes(text)

const damaged = () => integrityError('bundle.json is damaged: its image bindings cannot be read')

function object(value: unknown): Record<string, unknown> {
  if (isObject(value)) return value
  throw damaged()
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw damaged()
}

function string(value: unknown): string {
  if (typeof value === 'string') return value
  throw damaged()
}

function texts<Key extends string>(value: unknown, ...keys: readonly Key[]): Record<Key, string> {
  const from = object(value)
  return Object.fromEntries(keys.map((key) => [key, string(from[key])])) as Record<Key, string>
}

/** Names that would reach into every object instead of one. */
const FORBIDDEN = new Set(['__proto__', 'prototype', 'constructor'])

const path = (value: unknown): Path =>
  list(value).map((step) => {
    if (typeof step === 'number' && Number.isSafeInteger(step) && step >= 0) return step
    const text = string(step)
    if (FORBIDDEN.has(text)) throw damaged()
    return text
  })

function binding(value: unknown): Binding {
  const from = object(value)
  const where = string(from['where'])
  if (!isWhere(where)) throw damaged()
  const optional = (key: string) => (from[key] === undefined ? {} : { [key]: string(from[key]) })
  return {
    path: path(from['path']),
    leaves: list(from['leaves']).map(leaf),
    reference: string(from['reference']),
    references: list(from['references']).map(string),
    where,
    at: list(from['at']).map(string),
    proven: from['proven'] === true,
    recipes: list(from['recipes']).map(recipe),
    ...(from['stem'] === true ? { stem: true } : {}),
    ...(from['consents'] === undefined ? {} : { consents: list(from['consents']).map(path) }),
    ...optional('hook'),
    ...optional('variant'),
    ...optional('note'),
  }
}

function leaf(value: unknown): Leaf {
  const from = object(value)
  const role = string(from['role'])
  if (!isRole(role)) throw damaged()
  return { path: path(from['path']), role, declared: from['declared'] === true }
}

function recipe(value: unknown): Recipe {
  const { shape: made, tag, digest } = object(value)
  return {
    shape: shape(made),
    ...(tag === undefined ? {} : { tag: spare(tag) }),
    ...(digest === undefined ? {} : { digest: spare(digest) }),
  }
}

function shape(value: unknown): Shape {
  const { name, tag, digest } = object(value)
  return { name: list(name).map(piece), tag: list(tag).map(piece), digest: list(digest).map(piece) }
}

function piece(value: unknown): Piece {
  const { text, leaf: at } = object(value)
  return { text: string(text), ...(at === undefined ? {} : { leaf: path(at) }) }
}

function spare(value: unknown): Spare {
  const { path: at, before, after, replacesTag } = object(value)
  return {
    path: path(at),
    before: string(before),
    after: string(after),
    ...(replacesTag === true ? { replacesTag } : {}),
  }
}
