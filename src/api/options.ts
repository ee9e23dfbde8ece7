import { coerce } from '../cli/args/coerce.ts'
import { isFlag, kebab, type Args, type ArgsDef, type Flag } from '../cli/args/flags.ts'
import { usageError } from '../lib/errors.ts'

/** Arguments by name; what is left out has its default. */
export type Options<A extends ArgsDef> = { readonly [Name in keyof Args<A>]?: Args<A>[Name] | undefined }

/**
 * The arguments of a command from options of code, checked as those of the command line are: callers in JavaScript have
 * no compiler that would.
 * @throws a usage error for a value that the command line would not take
 */
export function argsFrom<A extends ArgsDef>(options: Options<A>, defs: A): Args<A> {
  const given: Readonly<Record<string, unknown>> = options
  const values = Object.entries(defs).map(([name, def]) => [
    name,
    isFlag(def)
      ? flagValue(name, def, given[name])
      : (given[name] ?? (def.multiple === true ? [] : undefined)),
  ])
  // Each value was made by its own definition; TypeScript cannot follow that through a loop.
  return Object.fromEntries(values) as Args<A>
}

// --- internal ---

function flagValue(name: string, def: Flag, value: unknown): unknown {
  const isList = def.type !== 'boolean' && def.multiple === true
  if (value === undefined) return isList ? [] : defaultOf(name, def)
  const where = `option "${name}"`
  if (isList !== Array.isArray(value))
    throw usageError(isList ? 'a list belongs here' : 'one value belongs here', { where })
  const one = (item: unknown): unknown => coerce(def, { text: String(item), where })
  return Array.isArray(value) ? value.map(one) : one(value)
}

function defaultOf(name: string, def: Flag): unknown {
  if (def.default !== undefined) return def.default
  if (def.type === 'boolean') return false
  if (def.required === true)
    throw usageError(`option "${name}" is missing (on the command line --${kebab(name)})`)
  return undefined
}
