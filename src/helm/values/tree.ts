/** A map of values, as parsed from YAML. */
export interface Values {
  [key: string]: unknown
}

/** Keys and list positions from the root of the chart's values. */
export type Path = readonly (string | number)[]

export const isMap = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `a.b[0].c`; keys that hold a dot are quoted. */
export const pathText = (path: Path): string =>
  path
    .map((step, at) => {
      if (typeof step === 'number') return `[${step}]`
      if (/^\[.*\]$/.test(step)) return step
      const key = /^[^.[\]"\s]+$/.test(step) ? step : JSON.stringify(step)
      return at === 0 ? key : `.${key}`
    })
    .join('')

/** The value at a path; undefined where there is none. */
export function valueAt(root: unknown, path: Path): unknown {
  let at = root
  for (const step of path) {
    if (typeof step === 'number' ? !Array.isArray(at) : !isMap(at)) return undefined
    at = memberOf(at as Values, step)
  }
  return at
}

/**
 * Sets a value, making the maps on the way. Helm replaces a list as a whole, so a path through a list copies that
 * list from `base` first.
 */
export function setAt(root: Values, path: Path, value: unknown, base: unknown): void {
  let at: Values = root
  for (const [depth, step] of path.entries()) {
    if (depth === path.length - 1) {
      put(at, step, value)
      return
    }
    const next = memberOf(at, step)
    if (typeof path[depth + 1] === 'number') {
      if (!Array.isArray(next)) put(at, step, structuredClone(valueAt(base, path.slice(0, depth + 1)) ?? []))
    } else if (!isMap(next)) put(at, step, {})
    at = memberOf(at, step) as Values
  }
}

/** Helm's rule for layers: maps merge, everything else is replaced, null removes. Neither argument is changed. */
export function mergeValues(under: Values, over: Values): Values {
  const merged: Values = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = memberOf(merged, key)
    put(merged, key, isMap(value) ? mergeValues(isMap(below) ? below : {}, value) : value)
  }
  return merged
}

/** Every scalar, null, empty map and empty list, with its path. */
export function* leavesOf(value: unknown, path: Path = []): Iterable<{ path: Path; value: unknown }> {
  if (isMap(value) && Object.keys(value).length > 0) {
    for (const [key, inner] of Object.entries(value)) yield* leavesOf(inner, [...path, key])
  } else if (Array.isArray(value) && value.length > 0) {
    for (const [at, inner] of value.entries()) yield* leavesOf(inner, [...path, at])
  } else yield { path, value }
}

// --- internal ---

/** A chart's own keys may be called `constructor` or `__proto__`: never what every object inherits. */
const memberOf = (map: Values, key: string | number): unknown =>
  Object.hasOwn(map, key) ? map[key] : undefined

function put(map: Values, key: string | number, value: unknown): void {
  if (key !== '__proto__') map[key] = value
  else Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
}
