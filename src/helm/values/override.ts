import { Document, isMap as isYamlMap, isScalar, Scalar, type Node } from 'yaml'
import type { Assignment } from './write/write.ts'
import { setAt, type Path, type Values } from './tree.ts'

/**
 * The smallest values that hold the assignments. Helm replaces a list as a whole, so a list in which one leaf
 * changes is copied from `base`, the effective values.
 */
export function overrideValues(assignments: readonly Assignment[], base: Values): Values {
  const values: Values = {}
  for (const { path, value } of assignments) setAt(values, path, value, base)
  return values
}

/**
 * The override as YAML, keys sorted, every string that YAML could read as something else in quotes; the comment
 * before a leaf says which references it binds. The same assignments give the same bytes.
 */
export function overrideYaml(assignments: readonly Assignment[], base: Values, heading?: string): string {
  const document = new Document(sorted(overrideValues(assignments, base)))
  for (const { path, references, note } of assignments) {
    const key = keyNode(document.contents, path)
    const lines = [...(note === undefined ? [] : [note]), ...references]
    if (key === undefined || lines.length === 0) continue
    const before = typeof key.commentBefore === 'string' ? `${key.commentBefore}\n` : ''
    key.commentBefore = before + lines.map((line) => ` ${line}`).join('\n')
  }
  quoteVersions(document.contents)
  if (heading !== undefined) document.commentBefore = heading.replace(/^/gm, ' ')
  return document.toString({ lineWidth: 0 })
}

// --- internal ---

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}

/** The node of the key a leaf has in its map; in a list, the key of the list. */
function keyNode(root: unknown, path: Path): Node | undefined {
  let at = root
  let key: Node | undefined
  for (const step of path) {
    if (typeof step === 'number' || !isYamlMap(at)) return key
    const pair = at.items.find((item) => isScalar(item.key) && item.key.value === step)
    if (pair === undefined || !isScalar(pair.key)) return key
    key = pair.key
    at = pair.value
  }
  return key
}

/** `tag: 1.10` without quotes is a number for helm, and loses its zero. */
function quoteVersions(node: unknown): void {
  if (isScalar(node)) {
    if (
      typeof node.value === 'string' &&
      /^[\d.eE+_-]+$|^(?:y|n|yes|no|on|off|true|false|null|~|)$/i.test(node.value)
    )
      node.type = Scalar.QUOTE_DOUBLE
  } else if (typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items)) {
    for (const item of node.items as unknown[]) quoteVersions(pairValue(item))
  }
}

const pairValue = (item: unknown): unknown =>
  typeof item === 'object' && item !== null && 'key' in item && 'value' in item ? item.value : item
