import { usageError } from '../lib/errors.ts'

/** What an option has to be. Numbers are integers within these limits. */
export type OptionShape = 'text' | 'texts' | 'flag' | 'object' | readonly [least: number, most: number]

/**
 * Checks options: callers in JavaScript have no compiler that would.
 * @throws a usage error for a value of another kind than `shapes` says
 */
export function checkOptions(options: object, shapes: Readonly<Record<string, OptionShape>>): void {
  const given: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(options))
  for (const [name, shape] of Object.entries(shapes)) {
    const value = given[name]
    const why = value === undefined ? undefined : faultOf(value, shape)
    if (why !== undefined) throw usageError(why, { where: `option "${name}"` })
  }
}

/** @throws a usage error when a text is missing that has to be there */
export function requireOption(name: string, value: string | undefined): string {
  if (value !== undefined) return value
  throw usageError(`option "${name}" is missing`)
}

// --- internal ---

function faultOf(value: unknown, shape: OptionShape): string | undefined {
  if (typeof shape === 'object') {
    const [least, most] = shape
    const isRight = Number.isInteger(value) && Number(value) >= least && Number(value) <= most
    return isRight ? undefined : `a whole number from ${least} to ${most} belongs here`
  }
  if (shape === 'texts') {
    if (!Array.isArray(value)) return 'a list belongs here'
    return value.every((item) => typeof item === 'string') ? undefined : 'a list of texts belongs here'
  }
  if (Array.isArray(value)) return 'one value belongs here'
  const type = { text: 'string', flag: 'boolean', object: 'object' }[shape]
  return typeof value === type ? undefined : `a value of type ${type} belongs here`
}
