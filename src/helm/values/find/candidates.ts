import type { Binding } from '../binding.ts'
import type { Candidate } from './sentinel.ts'
import type { TemplateText } from '../chart/template-text.ts'
import { isMap, leavesOf, pathText, valueAt, type Path, type Values } from '../tree.ts'

/** Leaves of the values, by how likely they are to make a reference. */
export interface Candidates {
  /** Hold a part of a rendered reference and have a name that fits. */
  readonly likely: readonly Candidate[]
  /** Hold a part of a rendered reference. */
  readonly possible: readonly Candidate[]
  /** Empty, but named like a part of a reference and next to one. */
  readonly spare: readonly Candidate[]
  /** Like `spare`, for digests: setting one may hide the tag. */
  readonly digests: readonly Candidate[]
  /** Empty globals that may hide the registries of all others. */
  readonly globals: readonly Candidate[]
  /** Empty leaves anywhere that are named like a registry: knobs that several images share. */
  readonly shared: readonly Candidate[]
  /** Empty leaves of any other name. */
  readonly empty: readonly Candidate[]
}

/** Sorts the leaves of the values against the references that a chart renders (`rendered`) and its likely bindings. */
export function candidatesFor(
  values: Values,
  bindings: readonly Binding[],
  rendered: readonly string[],
): Candidates {
  const parts = partsOf(rendered)
  const known = new Set(bindings.flatMap(({ leaves }) => leaves.map(({ path }) => pathText(path))))
  const maps = new Set(
    bindings.flatMap(({ leaves }) => leaves.map(({ path }) => pathText(path.slice(0, -1)))),
  )
  const sorted = {
    likely: [],
    possible: [],
    spare: [],
    digests: [],
    globals: [],
    shared: [],
    empty: [],
  } as Record<keyof Candidates, Candidate[]>
  for (const { path, value } of leavesOf(values)) {
    const text = textOf(value)
    const key = String(path.at(-1))
    if (text === undefined || NEVER.test(key)) continue
    const candidate: Candidate = { path, value: text, declared: true }
    const plain = text.replace(/^[a-z][a-z0-9+.-]*:\/\//, '')
    const expected = known.has(pathText(path))
    if (text === '') {
      const near =
        expected || maps.has(pathText(path.slice(0, -1))) || path.some((step) => IMAGE.test(String(step)))
      if (path[0] === 'global') {
        if (PART.test(key) || IMAGE.test(key)) sorted.globals.push(candidate)
      } else if (DIGEST.test(key)) {
        if (near) sorted.digests.push(candidate)
      } else if (expected || (near && (PART.test(key) || key === 'name' || /image$/i.test(key))))
        sorted.spare.push(candidate)
      else if (REGISTRY.test(key) || PART.test(key)) sorted.shared.push(candidate)
      else sorted.empty.push(candidate)
    } else if (
      expected ||
      (isPart(plain, parts) &&
        (PART.test(key) || NAMED.test(pathText(path)) || (IMAGE.test(pathText(path)) && key !== 'name')))
    )
      sorted.likely.push(candidate)
    else if (isPart(plain, parts) && plain.length > 1) sorted.possible.push(candidate)
  }
  return sorted
}

/** Of some leaves, those that a template reads, or the map around them. */
export function readByTemplates(candidates: readonly Candidate[], { mentions }: TemplateText): Candidate[] {
  const read = new Set(mentions.map(({ path }) => pathText(path)))
  return candidates.filter(({ path }) =>
    path.some((_, depth) => depth > 0 && read.has(pathText(path.slice(0, path.length - depth + 1)))),
  )
}

/** Leaves that templates read but values do not declare, for references that no declared leaf reaches. */
export function undeclaredCandidates(values: Values, { mentions }: TemplateText): Candidate[] {
  const found = new Map<string, Candidate>()
  const read = new Set(mentions.map(({ path }) => pathText(path)))
  const longer = (path: Path): boolean => {
    const text = `${pathText(path)}.`
    for (const other of read) if (other.startsWith(text)) return true
    return false
  }
  const add = (path: Path): void => {
    if (valueAt(values, path) === undefined && !blocked(values, path))
      found.set(pathText(path), { path, value: '', declared: false })
  }
  for (const { path } of mentions) {
    const key = String(path.at(-1))
    const value = valueAt(values, path)
    if (NEVER.test(key)) continue
    if (isMap(value) && IMAGE.test(key))
      for (const part of ['registry', 'repository', 'tag']) add([...path, part])
    else if (
      value === undefined &&
      !longer(path) &&
      (IMAGE.test(key) || PART.test(key) || REGISTRY.test(key) || NAMED.test(pathText(path)))
    )
      add(path)
  }
  return [...found.values()]
}

/** A digest for every map that holds a repository and declares none: charts that share helpers often take one. */
export function undeclaredDigests(values: Values, bindings: readonly Binding[]): Candidate[] {
  return bindings.flatMap(({ leaves }) => {
    const repository = leaves.find(({ role }) => role === 'repository')
    const key = String(repository?.path.at(-1))
    if (
      repository === undefined ||
      !/^repo(?:sitory)?$/i.test(key) ||
      leaves.some(({ role }) => role === 'digest')
    )
      return []
    const path = [...repository.path.slice(0, -1), 'digest']
    return valueAt(values, path) === undefined ? [{ path, value: '', declared: false }] : []
  })
}

// --- internal ---

const IMAGE = /image|img/i
/** Names that people give to a knob for all registries. */
const REGISTRY =
  /regist(?:ry|ries)|mirror|(?:^|[a-z_-])(?:hub|host|domain|prefix|server|proxy)$|^(?:hub|host|domain|prefix)/i
/** A name next to other parts of a reference; elsewhere it names an object. */
const NAMED = /(?:image|img|container|repo)[^.]*\.name$/i
const PART =
  /^(?:.*(?:registry|repository|repo|hub|tag|version|prefix|variant|flavou?r|digest|sha|sha256|image|img|_image|image_name|imagename|suffix))$/i
const DIGEST = /(?:digest|sha|sha256)$/i
const NEVER =
  /secret|polic|serviceaccount|nameoverride|port$|schedule|apiversion|^kind$|annotation|label|password|enabled$|mountpath|class/i

function textOf(value: unknown): string | undefined {
  if (value === null) return ''
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

/** A path below something that is no map cannot be set. */
function blocked(values: Values, path: Path): boolean {
  for (let depth = 1; depth < path.length; depth += 1) {
    const value = valueAt(values, path.slice(0, depth))
    if (value !== undefined && value !== null && !isMap(value)) return true
  }
  return false
}

interface Parts {
  readonly whole: readonly string[]
  readonly starts: ReadonlySet<string>
}

function partsOf(references: readonly string[]): Parts {
  const starts = new Set<string>()
  for (const reference of references) for (const part of reference.split(/[/:@]/)) starts.add(part)
  return { whole: [...new Set(references)], starts }
}

/** A run of whole components of some reference, or the beginning or the end of one. */
function isPart(text: string, { whole, starts }: Parts): boolean {
  if (starts.has(text)) return true
  if (text.length < 3 || text.length > 400) return false
  return whole.some((reference) => {
    for (let at = reference.indexOf(text); at >= 0; at = reference.indexOf(text, at + 1)) {
      const opens = at === 0 || /[/:@]/.test(reference[at - 1] ?? '')
      const closes = at + text.length === reference.length || /[/:@]/.test(reference[at + text.length] ?? '')
      if (opens && closes) return true
      if ((opens || closes) && text.length > 3 && /[-_./:\d]/.test(text)) return true
    }
    return false
  })
}
