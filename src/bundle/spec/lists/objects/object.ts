import { isObject } from '../../../../oci/manifest.ts'
import type { ListPlace } from '../listing.ts'

/** A Kubernetes object of a file, a stream or a cluster. */
export interface KubeObject {
  readonly kind: string
  /** The API group: `apps`, empty for the core. */
  readonly group: string
  readonly name: string
  readonly namespace: string
  readonly object: Readonly<Record<string, unknown>>
  /** Where it begins. */
  readonly at: ListPlace
}

/** The objects that a document holds: itself, or the items of a list, whose kind they may leave to it. */
export function objectsIn(value: unknown, at: ListPlace): readonly KubeObject[] {
  if (!isObject(value) || typeof value['kind'] !== 'string') return []
  const { kind, items, apiVersion } = value
  if (kind.endsWith('List') && Array.isArray(items)) {
    const own = kind.slice(0, -'List'.length)
    return items
      .filter(isObject)
      .flatMap((item) => objectsIn({ ...(own === '' ? {} : { apiVersion, kind: own }), ...item }, at))
  }
  const metadata = isObject(value['metadata']) ? value['metadata'] : {}
  const text = (part: unknown): string => (typeof part === 'string' ? part : '')
  const version = text(apiVersion)
  return [
    {
      kind,
      group: version.includes('/') ? (version.split('/')[0] ?? '') : '',
      name: text(metadata['name']),
      namespace: text(metadata['namespace']),
      object: value,
      at,
    },
  ]
}

/** A value below an object by its keys. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const key of path) found = isObject(found) ? found[key] : undefined
  return found
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path)
  return typeof found === 'string' && found !== ''
    ? found
    : typeof found === 'number'
      ? String(found)
      : undefined
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = valueAt(value, ...path)
  return Array.isArray(found) ? found : []
}
