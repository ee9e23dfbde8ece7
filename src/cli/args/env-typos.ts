import { suggest } from '../../lib/text/suggest.ts'
import type { CommandCatalog, CommandSpec } from '../command-spec.ts'
import { envName, isFlag } from './flags.ts'

export interface Stray {
  readonly name: string
  readonly meant: string
}

/**
 * Variables that look like a slip of one of this command's. A variable of another command is none, so all commands are
 * loaded, but only when there is something to suspect.
 */
export async function strayVariables(
  env: Readonly<Record<string, string | undefined>>,
  spec: CommandSpec,
  catalog: CommandCatalog,
): Promise<readonly Stray[]> {
  const own = variablesOf(spec)
  const suspects = Object.keys(env).flatMap((name) => {
    if (!name.startsWith(prefix) || name === `${prefix}DEBUG` || own.includes(name)) return []
    const meant = suggest(
      name.slice(prefix.length),
      own.map((one) => one.slice(prefix.length)),
    )
    return meant === undefined ? [] : [{ name, meant: prefix + meant }]
  })
  if (suspects.length === 0) return []
  const known = (await catalog.specs()).flatMap(variablesOf)
  return suspects.filter(({ name }) => !known.includes(name))
}

// --- internal ---

const prefix = 'MA_BUNDLE_'

const variablesOf = ({ args }: CommandSpec): string[] =>
  Object.entries(args).flatMap(([name, def]) => (isFlag(def) ? [envName(name)] : []))
