import { parseArgs } from 'node:util'

import { usageError } from '../../lib/errors.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import type { Given } from './coerce.ts'
import { flagHint } from './flag-hints.ts'
import { isFlag, kebab, standsAlone, type ArgsDef, type Flag } from './flags.ts'

/** The command line, checked against the definition but not typed yet. */
export interface Argv {
  /** By name of the definition; one element for a flag that is not `multiple`. */
  readonly flags: ReadonlyMap<string, readonly Given[]>
  readonly positionals: readonly string[]
}

/**
 * Reads a raw command line strictly: an unknown flag, a value that is missing, swallowed from the next flag or given
 * twice is a usage error. (citty's own parser accepts all of these: `--otu a` makes `a` a positional.)
 * `command` is only named in what an error says next.
 */
export function readArgv(argv: readonly string[], defs: ArgsDef, command = '<command>'): Argv {
  const byFlag = flagsOf(defs)
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries([...byFlag].map(([flag, { def }]) => [flag, optionOf(def)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const flags = new Map<string, Given[]>()
  const positionals: string[] = []
  /** A flag that needs no value, when it was the last word. */
  let open: { readonly words: RegExp; readonly given: Given[]; readonly where: string } | undefined
  for (const token of tokens) {
    const asked = open
    open = undefined
    if (token.kind === 'positional') {
      if (asked?.words.test(token.value) === true)
        asked.given.splice(0, 1, { text: token.value, where: asked.where })
      else positionals.push(token.value)
    }
    if (token.kind !== 'option') continue
    const { name, def, text } = readOption(token, byFlag, command)
    const given = flags.get(name) ?? []
    if (given.length > 0 && def.type !== 'boolean' && def.multiple !== true) {
      throw usageError(`${token.rawName} is given twice but takes one value`, { next: 'keep one of them' })
    }
    if (def.type === 'boolean') given.length = 0
    const where = `flag ${token.rawName}`
    given.push({ text, where })
    if (standsAlone(def) && token.value === undefined) open = { words: def.alone.words, given, where }
    flags.set(name, given)
  }
  return { flags, positionals }
}

// --- internal ---

interface Named {
  readonly name: string
  readonly def: Flag
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value?: string | undefined
  readonly inlineValue?: boolean | undefined
}

function flagsOf(defs: ArgsDef): Map<string, Named> {
  const found = new Map<string, Named>()
  for (const [name, def] of Object.entries(defs)) if (isFlag(def)) found.set(kebab(name), { name, def })
  return found
}

const optionOf = (def: Flag): { type: 'boolean' | 'string'; short?: string } => ({
  type: def.type === 'boolean' || standsAlone(def) ? 'boolean' : 'string',
  ...(def.alias === undefined ? {} : { short: def.alias }),
})

function readOption(
  token: OptionToken,
  byFlag: ReadonlyMap<string, Named>,
  command: string,
): Named & { text: string } {
  const known = byFlag.get(token.name)
  if (known === undefined) return { ...negated(token, byFlag, command), text: 'false' }
  const { name, def } = known
  if (def.type === 'boolean') return { name, def, text: token.value ?? 'true' }
  if (token.value === undefined && standsAlone(def)) return { name, def, text: def.alone.value }
  if (token.value === undefined) {
    throw usageError(`${token.rawName} needs a value`, { next: `write ${token.rawName}=<value>` })
  }
  // `--spec --json` is a forgotten value far more often than a file that is called --json.
  if (token.inlineValue !== true && token.value.length > 1 && token.value.startsWith('-')) {
    throw usageError(`${token.rawName} needs a value, and ${token.value} looks like a flag`, {
      next: `write ${token.rawName}=${token.value} if that is the value`,
    })
  }
  return { name, def, text: token.value }
}

function negated(token: OptionToken, byFlag: ReadonlyMap<string, Named>, command: string): Named {
  const positive = token.rawName.startsWith('--no-') ? byFlag.get(token.name.slice(3)) : undefined
  if (positive?.def.type === 'boolean' && token.value === undefined) return positive
  if (positive?.def.type === 'boolean') throw usageError(`${token.rawName} takes no value`)
  if (positive !== undefined) {
    throw usageError(`${token.rawName} does not exist, because --${token.name.slice(3)} takes a value`, {
      next: 'leave the flag out',
    })
  }
  const names = [...byFlag].flatMap(([flag, { def }]) =>
    def.type === 'boolean' ? [flag, `no-${flag}`] : [flag],
  )
  const hint = flagHint(token.rawName, [...byFlag.keys()]) ?? didYouMean(token.name, [...names, 'help'], '--')
  throw usageError(`unknown flag ${token.rawName}`, {
    next: hint ?? `see ma-bundle ${command} --help for its flags`,
  })
}
