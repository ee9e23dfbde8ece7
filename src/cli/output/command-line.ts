import { kebab, type ArgsDef } from '../args/flags.ts'

/**
 * A command for the user to run as it stands: those of `given` that `def` knows, without what is as by default, and
 * quoted for a shell.
 * @param words what comes first: the command and its arguments
 */
export function commandLine(
  words: readonly string[],
  def: ArgsDef,
  given: Readonly<Record<string, unknown>>,
  more: readonly string[] = [],
): string {
  const flags = Object.entries(def).flatMap(([name, flag]): readonly string[] => {
    const value = given[name]
    if (flag.type === 'positional' || value === undefined || value === flag.default) return []
    const dashed = kebab(name)
    if (typeof value === 'boolean')
      return value ? [`--${dashed}`] : flag.default === true ? [`--no-${dashed}`] : []
    const values: readonly unknown[] = Array.isArray(value) ? value : [value]
    return values.flatMap((one) => [`--${dashed}`, shellWord(String(one))])
  })
  return ['ma-bundle', ...words.map(shellWord), ...flags, ...more].join(' ')
}

// --- internal ---

const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
