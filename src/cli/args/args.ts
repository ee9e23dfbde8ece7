import { usageError } from '../../lib/errors.ts'
import type { Argv } from './argv.ts'
import { coerce, type Given, type Scalar } from './coerce.ts'
import { sharedSection, type Config } from './config-model.ts'
import { envName, flagText, hintText, isFlag, kebab, type Args, type ArgsDef, type Flag } from './flags.ts'

/** Where values come from beside the command line. */
export interface ArgSources {
  /** Name of the command: its section in the config file. */
  readonly command: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly config: Config | undefined
}

/**
 * The typed arguments of a command. Precedence of each flag: command line, environment (`MA_BUNDLE_<FLAG>`, lists
 * separated by spaces; an empty variable counts as unset), config file (the command's section, then `all`), default.
 */
export function parseArgs<A extends ArgsDef>(read: Argv, defs: A, sources: ArgSources): Args<A> {
  const values: Record<string, unknown> = positionalValues(read.positionals, defs, sources.command)
  for (const [name, def] of Object.entries(defs)) {
    if (isFlag(def)) values[name] = flagValue(name, def, read, sources)
  }
  // Each value was made by its own definition just above; TypeScript cannot follow that through a loop.
  return values as Args<A>
}

/** The text a flag was given by the strongest source that says anything. */
export function givenFor(name: string, def: Flag, read: Argv, sources: ArgSources): readonly Given[] {
  const inFlags = read.flags.get(name)
  if (inFlags !== undefined) return inFlags
  const inEnv = sources.env[envName(name)]
  if (inEnv !== undefined && inEnv !== '') {
    const texts = isMultiple(def) ? inEnv.split(/\s+/).filter((text) => text !== '') : [inEnv]
    return texts.map((text) => ({ text, where: `environment ${envName(name)}` }))
  }
  const { config, command } = sources
  return config?.lookup(command, kebab(name)) ?? config?.lookup(sharedSection, kebab(name)) ?? []
}

// --- internal ---

const isMultiple = (def: Flag): boolean => def.type !== 'boolean' && def.multiple === true

function flagValue(name: string, def: Flag, read: Argv, sources: ArgSources): unknown {
  const given = givenFor(name, def, read, sources)
  const values: Scalar[] = given.map((one) => coerce(def, one))
  if (isMultiple(def)) return values
  if (values.length > 1) {
    throw usageError(`--${kebab(name)} takes one value, not a list`, { where: given[0]?.where ?? '' })
  }
  const [value = def.default] = values
  if (value === undefined && def.type === 'boolean') return false
  if (value === undefined && def.type !== 'boolean' && def.required === true) {
    throw usageError(`${flagText(name, def)} is missing`, {
      next: `add ${flagText(name, def)} ${hintText(def)}, or set ${envName(name)}`,
    })
  }
  return value
}

function positionalValues(given: readonly string[], defs: ArgsDef, command: string): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  const rest = [...given]
  if (rest.includes('')) {
    throw usageError('an argument is empty', { next: 'an unset shell variable in quotes looks like this' })
  }
  for (const [name, def] of Object.entries(defs)) {
    if (isFlag(def)) continue
    const required = def.required !== false
    if (required && rest.length === 0) {
      throw usageError(`<${kebab(name)}> is missing: ${lowerFirst(def.description)}`, {
        next: `see ma-bundle ${command} --help`,
      })
    }
    values[name] = def.multiple === true ? rest.splice(0) : rest.shift()
  }
  if (rest.length > 0) {
    throw usageError(`unexpected argument ${rest.map((text) => JSON.stringify(text)).join(', ')}`, {
      next: `see ma-bundle ${command} --help; a value with spaces needs quotes`,
    })
  }
  return values
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)
