import {
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type Node,
} from 'yaml'
import { usageError } from '../../../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import type { ListPlace } from './listing.ts'

/** A value of a foreign file and where it stands. What is not there reads as empty, so that readers stay short. */
export interface Cursor {
  readonly at: ListPlace
  readonly kind: 'map' | 'list' | 'text' | 'none'
  /** A single value as it is written: `1.10` stays so. Undefined for anything else, and for an empty text. */
  readonly text: string | undefined
  get(...path: readonly string[]): Cursor
  /** Of a list; of anything else none. */
  readonly items: readonly Cursor[]
  /** Of a mapping, merge keys (`<<`) resolved; of anything else none. */
  readonly entries: readonly (readonly [string, Cursor])[]
  /** As plain values. */
  value(): unknown
}

export interface YamlDocuments {
  readonly documents: readonly Cursor[]
  /** What the parser has against it. */
  readonly problem?: { readonly at: ListPlace; readonly message: string }
}

/** Many times any real list. */
const MAX_VALUES = 2_000_000
const MAX_ALIASES = 1000

/** Reads YAML, and JSON with it. Nothing in it is evaluated; what aliases repeat is counted. */
export function openYaml(text: string, file: string): YamlDocuments {
  if (nestsDeeper(text, MAX_NESTING)) throw usageError(`${file}: it nests deeper than any list`)
  const lines = new LineCounter()
  const options = { lineCounter: lines, uniqueKeys: false, prettyErrors: false, logLevel: 'silent' } as const
  const parsed = parseAllDocuments(text, options)
  const found = 'empty' in parsed ? [] : parsed
  const reading: Reading = { file, lines, values: 0 }
  for (const { errors } of found) {
    const [error] = errors
    if (error === undefined) continue
    const at = { file, line: Math.max(1, lines.linePos(error.pos[0]).line) }
    return { documents: [], problem: { at, message: error.message.split('\n', 1)[0] ?? '' } }
  }
  const template = text.includes('{{') ? found.map(templateKey).find((at) => at !== undefined) : undefined
  if (template !== undefined) {
    const at = { file, line: Math.max(1, lines.linePos(template).line) }
    return { documents: [], problem: { at, message: 'a template that is not filled in' } }
  }
  const documents = found
    .map((document) => cursorOf(document.contents, { ...reading, document, reading }, 1))
    .filter(({ kind }) => kind !== 'none')
  return { documents }
}

// --- internal ---

interface Reading {
  readonly file: string
  readonly lines: LineCounter
  values: number
}

interface Context {
  readonly document: Document.Parsed
  readonly reading: Reading
}

/** `name: {{ .Release.Name }}` is YAML too: a mapping with a mapping as its key, which nobody means. */
function templateKey(document: Document.Parsed): number | undefined {
  let found: number | undefined
  visit(document, {
    Pair: (_, { key }) => {
      if (!isMap(key)) return undefined
      found = key.range?.[0] ?? 0
      return visit.BREAK
    },
  })
  return found
}

function cursorOf(written: unknown, context: Context, line: number): Cursor {
  const { reading, document } = context
  reading.values += 1
  if (reading.values > MAX_VALUES) {
    throw usageError(`${reading.file}: more than ${MAX_VALUES} values, counting what aliases repeat`)
  }
  const node: unknown = isAlias(written) ? written.resolve(document) : written
  const here = lineOf(written, context) ?? line
  const empty = (): Cursor => cursorOf(undefined, context, here)
  const scalar = isScalar(node) ? node : undefined
  const text =
    typeof scalar?.value === 'string'
      ? scalar.value
      : scalar?.value === null || scalar === undefined
        ? undefined
        : scalar.source
  let entries: readonly (readonly [string, Cursor])[] | undefined
  let byKey: ReadonlyMap<string, Cursor> | undefined
  return {
    at: { file: reading.file, line: here },
    kind: isMap(node) ? 'map' : isSeq(node) ? 'list' : text === undefined ? 'none' : 'text',
    text: text?.trim() === '' ? undefined : text,
    get(...path) {
      const [key, ...rest] = path
      if (key === undefined) return this
      byKey ??= new Map(this.entries)
      return (byKey.get(key) ?? empty()).get(...rest)
    },
    get items() {
      return isSeq(node) ? node.items.map((item) => cursorOf(item, context, here)) : []
    },
    get entries() {
      entries ??= entriesOf(node, context, here)
      return entries
    },
    value: () => (isNode(node) ? plainValue(node, context) : undefined),
  }
}

/** @throws a usage error for aliases that repeat a small text into a huge one */
function plainValue(node: Node, { document, reading }: Context): unknown {
  try {
    return node.toJS(document, { maxAliasCount: MAX_ALIASES }) as unknown
  } catch (cause) {
    if (!(cause instanceof ReferenceError)) throw cause
    throw usageError(`${reading.file}: its aliases repeat too much`, { cause })
  }
}

function entriesOf(node: unknown, context: Context, line: number): readonly (readonly [string, Cursor])[] {
  if (!isMap(node)) return []
  const own = new Map<string, Cursor>()
  const merged: Cursor[] = []
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue
    const key =
      typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? String(pair.key.value))
    const value = cursorOf(pair.value, context, lineOf(pair.key, context) ?? line)
    if (key === '<<') merged.push(...(value.kind === 'list' ? value.items : [value]))
    else if (!own.has(key)) own.set(key, value)
  }
  for (const base of merged) for (const [key, value] of base.entries) if (!own.has(key)) own.set(key, value)
  return [...own]
}

function lineOf(node: unknown, { reading }: Context): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  const { range } = node
  const start: unknown = Array.isArray(range) ? range[0] : undefined
  return typeof start === 'number' ? Math.max(1, reading.lines.linePos(start).line) : undefined
}
