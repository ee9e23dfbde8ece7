import { codeOf, usageError } from '../../lib/errors.ts'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import { shownPath } from '../../lib/shown-path.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import type { Config } from './config-model.ts'

/** Read when it is there and no `--config` is given. */
export const defaultConfigFile = 'ma-bundle.config.yaml'

/** Reads a config file, or undefined when `optional` and not there. Throws a usage error that says where and why. */
export async function readConfig(file: string, optional: boolean): Promise<Config | undefined> {
  const shown = shownPath(file)
  const text = await readText(file, optional)
  if (text === undefined) return undefined
  // The parser of YAML takes as long to load as all the rest, and most runs have no config file.
  const { parseConfig } = await import('./config-document.ts')
  return parseConfig(shown, text)
}

/** Refuses a name that is not known, with the nearest that is. */
export function refuseUnknown(what: string, name: string, known: readonly string[], where: string): void {
  if (known.includes(name)) return
  throw usageError(`unknown ${what} ${JSON.stringify(name)} in the config file`, {
    where,
    next: didYouMean(name, known) ?? `known are ${[...new Set(known)].toSorted().join(', ')}`,
  })
}

// --- internal ---

const maxBytes = 1024 * 1024

async function readText(file: string, optional: boolean): Promise<string | undefined> {
  try {
    return (await readSmall(file, maxBytes)).toString('utf8')
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    if (optional && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined
    throw usageError(`the config file cannot be read: ${whyUnreadable(error)}`, {
      where: shownPath(file),
      cause: error,
    })
  }
}
