import { open } from 'node:fs/promises'

import { isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml'

import { codeOf, messageOf, usageError } from '../lib/errors.ts'
import { shownPath } from '../lib/shown-path.ts'
import { didYouMean } from '../lib/suggest.ts'
import type { Given } from './coerce.ts'

/** Read when it is there and no `--config` is given. */
export const defaultConfigFile = 'ma-bundle.config.yaml'

/** The section whose flags hold for every command that has them; a command's own section wins. */
export const sharedSection = 'all'

/**
 * A config file: a map of sections (`all`, or the name of a command), each a map of flags without their dashes.
 *
 *     all: { ca-file: corporate.pem }
 *     export: { spec: mine.yaml, mirror: [docker.io=mirror.example.com] }
 */
export interface Config {
  readonly file: string
  /** Sections in the file, and the flags in each. */
  readonly sections: ReadonlyMap<string, readonly string[]>
  /** What a section says of a flag, as text; undefined when it says nothing. */
  lookup(section: string, flag: string): readonly Given[] | undefined
  /** `file:line:column` of a section or of a flag in it. */
  position(section: string, flag?: string): string
}

/** Reads a config file, or undefined when `optional` and not there. Throws a usage error that says where and why. */
export async function readConfig(file: string, optional: boolean): Promise<Config | undefined> {
  const shown = shownPath(file)
  const text = await readText(file, optional)
  if (text === undefined) return undefined
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${shown}:${line}:${col}`
  }
  const [flaw] = document.errors
  if (flaw !== undefined) {
    throw usageError(`the config file is not YAML: ${flaw.message}`, { where: at(flaw.pos[0]) })
  }
  return describe(shown, document, at)
}

/** Refuses a name that is not known, with the nearest that is. */
export function refuseUnknown(what: string, name: string, known: readonly string[], where: string): void {
  if (known.includes(name)) return
  throw usageError(`unknown ${what} ${JSON.stringify(name)} in the config file`, {
    where,
    next: didYouMean(name, known) ?? `known are ${known.join(', ')}`,
  })
}

// --- internal ---

const maxBytes = 1024 * 1024

async function readText(file: string, optional: boolean): Promise<string | undefined> {
  try {
    const handle = await open(file)
    try {
      if ((await handle.stat()).size > maxBytes)
        throw usageError('the config file is over 1 MiB', { where: shownPath(file) })
      return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    if (optional && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined
    throw usageError(`the config file cannot be read (${code})`, { where: shownPath(file), cause: error })
  }
}

type At = (offset: number) => string

function describe(file: string, document: Document.Parsed, at: At): Config {
  const position = (...path: string[]): string => {
    const node: unknown = document.getIn(path, true)
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
    return Array.isArray(range) && typeof range[0] === 'number' ? at(range[0]) : file
  }
  const sections = new Map<string, readonly string[]>()
  for (const [section, flags] of Object.entries(mapOf(plain(document, file), file))) {
    sections.set(section, Object.keys(mapOf(flags, position(section))))
  }
  return {
    file,
    sections,
    position: (section, flag) => (flag === undefined ? position(section) : position(section, flag)),
    lookup(section, flag) {
      const node: unknown = document.getIn([section, flag], true)
      if (node === undefined) return undefined
      const items: unknown[] = isSeq(node) ? node.items : [node]
      return items.map((item) => ({
        text: textOf(item, position(section, flag)),
        where: position(section, flag),
      }))
    },
  }
}

/** Expands aliases; the `yaml` package refuses documents whose aliases multiply. */
function plain(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS() ?? {}
  } catch (error) {
    throw usageError(`the config file is not acceptable: ${messageOf(error)}`, { where: file, cause: error })
  }
}

function mapOf(value: unknown, where: string): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw usageError('the config file has something else where a map belongs', {
    where,
    next: `write sections (${sharedSection}, export, import …) with flags in them, as in "export: { spec: mine.yaml }"`,
  })
}

function textOf(item: unknown, where: string): string {
  const value: unknown = isScalar(item) ? item.value : item
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw usageError('a flag in the config file takes a text, a number, true, false or a list of these', {
    where,
  })
}
