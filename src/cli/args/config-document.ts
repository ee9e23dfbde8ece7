import { isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml'

import { messageOf, usageError } from '../../lib/errors.ts'
import { sharedSection, type Config } from './config-model.ts'

/**
 * The text of a config file.
 * @param file as it is shown
 * @throws a usage error that says where and why
 */
export function parseConfig(file: string, text: string): Config {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const [flaw] = document.errors
  if (flaw !== undefined) {
    throw usageError(`the config file is not YAML: ${flaw.message}`, { where: at(flaw.pos[0]) })
  }
  return describe(file, document, at)
}

// --- internal ---

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
