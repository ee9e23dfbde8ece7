import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml'
import { BundleError, usageError } from '../../lib/errors.ts'
import { redact } from '../../lib/redact.ts'
import { didYouMean } from '../../lib/text/suggest.ts'

/** One thing that is wrong in a file; line and column count from 1. */
export interface Problem {
  readonly line: number
  readonly column: number
  readonly message: string
}

/** A YAML file that is being read, with what was found wrong in it so far. */
export interface SpecFileReader {
  readonly fileName: string
  /** What its relative paths start from; absent for text that comes without a folder. */
  readonly folder?: string
  readonly document: Document.Parsed
  readonly lines: LineCounter
  readonly problems: Problem[]
  /** What to do about them. */
  readonly next: string
  values: number
  readonly mostValues: number
}

/** A value of the file and where it stands. */
export interface YamlNode {
  readonly file: SpecFileReader
  readonly node: Node | null
  /** Offset in the text; for an empty value, that of its key. */
  readonly at: number
  /** Path for people: `groups[2].images[0]`. */
  readonly path: string
}

/** The fields of one mapping; `need` notes a problem when the key is missing. */
export interface Fields {
  get(key: string): YamlNode | undefined
  need(key: string): YamlNode | undefined
}

/** All that is wrong with a file, each with its place. */
export class SpecError extends BundleError {
  override readonly name = 'SpecError'
  readonly problems: readonly Problem[]

  constructor(message: string, problems: readonly Problem[], next: string) {
    super(message, { kind: 'usage', next })
    this.problems = problems
  }
}

/** A hundred thousand images; far below what would hurt. */
const MAX_CHARACTERS = 16 * 1024 * 1024
/** Beyond what the text itself can hold: what aliases may repeat. */
const MORE_VALUES = 100_000
const SHOWN = 25
const DESCRIBED = 'manifests/README.md describes the format'

/**
 * Opens a YAML file for strict reading: every wrong value is noted with its place and reading goes on, so that one
 * run reports all; `finish` throws when anything was wrong. What is not YAML at all throws here.
 */
export function openSpec(
  text: string,
  fileName: string,
  next = DESCRIBED,
  { most = MAX_CHARACTERS, folder }: { readonly most?: number; readonly folder?: string } = {},
): YamlNode {
  if (text.length > most) {
    throw usageError(`${fileName}: ${text.length} characters are too many (at most ${most})`)
  }
  const lines = new LineCounter()
  const document = parse(text, fileName, lines)
  const file: SpecFileReader = {
    fileName,
    ...(folder === undefined ? {} : { folder }),
    document,
    lines,
    next,
    problems: [],
    values: 0,
    mostValues: MORE_VALUES + text.length,
  }
  for (const { pos, message } of [...document.errors, ...document.warnings]) {
    note(file, pos[0], `not valid YAML: ${message.split('\n', 1)[0] ?? message}`)
  }
  finish(file)
  return { file, node: document.contents, at: offsetOf(document.contents) ?? 0, path: '' }
}

/** @throws a usage error with every problem, in the order of the file */
export function finish(file: SpecFileReader): void {
  if (file.problems.length === 0) return
  const problems = file.problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const lines = problems
    .slice(0, SHOWN)
    .map(({ line, column, message }) => `${file.fileName}:${line}:${column}: ${message}`)
  if (problems.length > SHOWN) lines.push(`and ${problems.length - SHOWN} more`)
  const [only] = lines
  const message =
    lines.length === 1 && only !== undefined
      ? only
      : `${problems.length} problems in ${file.fileName}\n  ${lines.join('\n  ')}`
  throw new SpecError(message, problems, file.next)
}

/** Notes a problem of a place in words of its own. */
export function problem(place: YamlNode, message: string): undefined {
  note(place.file, place.at, prefixed(place, message))
}

/** Notes that a value is not what it has to be. */
export const expected = (place: YamlNode, what: string): undefined =>
  problem(place, `found ${describe(place)}, expected ${what}`)

/** The node of a place, through an alias. Repetition by aliases is counted: a small file must not become a huge one. */
export function nodeOf({ file, node }: YamlNode): Node | null | undefined {
  file.values += 1
  if (file.values > file.mostValues) {
    note(file, offsetOf(node) ?? 0, `more than ${file.mostValues} values, counting what aliases repeat`)
    finish(file)
  }
  return isAlias(node) ? node.resolve(file.document) : node
}

/** The fields of a mapping that may have the `known` keys and no others. */
export function fields(place: YamlNode, known: readonly string[]): Fields | undefined {
  const node = nodeOf(place)
  if (!isMap(node)) return expected(place, `a mapping of ${known.join(', ')}`)
  const found = new Map<string, YamlNode>()
  for (const { key, value } of node.items) {
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined
    const at = offsetOf(key) ?? place.at
    if (name !== undefined && known.includes(name)) {
      found.set(name, child(place, value, at, place.path === '' ? name : `${place.path}.${name}`))
      continue
    }
    const hint = name === undefined ? undefined : didYouMean(name, known)
    const shown = isScalar(key) ? String(key.value).slice(0, 80) : 'something that is not text'
    problem(
      { ...place, at },
      `found the key "${shown}", expected ${known.join(', ')}${hint === undefined ? '' : `; ${hint}`}`,
    )
  }
  return {
    get: (key) => found.get(key),
    need: (key) => {
      if (!found.has(key)) problem(place, `the key "${key}" is missing`)
      return found.get(key)
    },
  }
}

export const isMapping = (place: YamlNode): boolean => isMap(nodeOf(place))

/** The text keys of a mapping. */
export function keysOf(place: YamlNode): readonly string[] {
  const node = nodeOf(place)
  if (!isMap(node)) return []
  return node.items.flatMap(({ key }) => (isScalar(key) && typeof key.value === 'string' ? [key.value] : []))
}

/** The items of a list; an absent list is empty. */
export function items(place: YamlNode | undefined, what: string): readonly YamlNode[] {
  if (place === undefined) return []
  const node = nodeOf(place)
  if (isSeq(node)) return node.items.map((item, at) => child(place, item, place.at, `${place.path}[${at}]`))
  expected(place, `a list of ${what}`)
  return []
}

/** The entries of a mapping whose keys are free; an absent mapping is empty. */
export function entries(place: YamlNode | undefined, what: string): readonly (readonly [string, YamlNode])[] {
  if (place === undefined) return []
  const node = nodeOf(place)
  if (!isMap(node)) {
    expected(place, `a mapping of ${what}`)
    return []
  }
  return node.items.flatMap(({ key, value }) => {
    const at = offsetOf(key) ?? place.at
    if (isScalar(key) && typeof key.value === 'string') {
      return [[key.value, child(place, value, at, `${place.path}.${key.value}`)] as const]
    }
    problem({ ...place, at }, `found a key that is not text, expected ${what}`)
    return []
  })
}

// --- internal ---

function parse(text: string, fileName: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, version: '1.2', logLevel: 'error' })
  } catch (cause) {
    // The parser recurses: a file of nothing but brackets exhausts the stack.
    if (cause instanceof RangeError) throw usageError(`${fileName}: nested too deep to be a spec`, { cause })
    throw cause
  }
}

function note(file: SpecFileReader, at: number, message: string): void {
  const { line, col } = file.lines.linePos(at)
  file.problems.push({ line: Math.max(line, 1), column: Math.max(col, 1), message: redact(message) })
}

const prefixed = (place: YamlNode, message: string): string =>
  place.path === '' ? message : `${place.path}: ${message}`

const child = (parent: YamlNode, value: unknown, at: number, path: string): YamlNode => ({
  file: parent.file,
  // The parsed document holds nodes only; the type of `items` does not say so.
  node: value as Node | null,
  at: offsetOf(value) ?? at,
  path,
})

function describe(place: YamlNode): string {
  const node = nodeOf(place)
  if (isMap(node)) return 'a mapping'
  if (isSeq(node)) return 'a list'
  if (!isScalar(node) || node.value === null) return 'nothing'
  if (typeof node.value === 'string') return JSON.stringify(node.value.slice(0, 200))
  return `the ${typeof node.value} ${node.source ?? ''}`
}

function offsetOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  const { range } = node
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined
}
