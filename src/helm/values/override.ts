import type { Assignment } from './write/write.ts'
import { setAt, type Values } from './tree.ts'

/**
 * The smallest values that hold the assignments. Helm replaces a list as a whole, so a list in which one leaf
 * changes is copied from `base`, the effective values.
 */
export function overrideValues(assignments: readonly Assignment[], base: Values): Values {
  const values: Values = {}
  for (const { path, value } of assignments) setAt(values, path, value, base)
  return values
}
