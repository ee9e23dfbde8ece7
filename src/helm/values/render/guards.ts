import type { Guard, Site, TemplateText, ValueMention } from '../chart/template-text.ts'
import { MADE_UP } from './made-up.ts'
import { isMap, pathText, valueAt, type Path, type Values } from '../tree.ts'

/** Values to switch on, and what the cluster must offer, for a piece of a template to be rendered. */
export interface Switches {
  readonly set: ReadonlyMap<string, { readonly path: Path; readonly value: unknown }>
  readonly apiVersions: readonly string[]
}

/**
 * What makes all conditions around a mention of a value come true, as far as they can be read from the text.
 * A condition that is not understood is taken to hold.
 */
export function switchesFor(mention: ValueMention, templates: TemplateText, values: Values): Switches[] {
  return chainsOf(mention, templates, 0).map((guards) => switchesOfGuards(guards, templates, values))
}

function switchesOfGuards(guards: readonly Guard[], templates: TemplateText, values: Values): Switches {
  const set = new Map<string, { path: Path; value: unknown }>()
  const apiVersions: string[] = []
  const avoided = new Map<string, ReadonlySet<string>>()
  const solver: Solver = {
    templates,
    values,
    want(path, value) {
      const key = pathText(path)
      if (!set.has(key)) set.set(key, { path, value })
    },
    avoid(path, text) {
      const key = pathText(path)
      const texts = new Set([...(avoided.get(key) ?? []), text])
      avoided.set(key, texts)
      const now = set.get(key)?.value ?? valueAt(values, path)
      if (typeof now !== 'string' || !texts.has(now)) return
      const free = templates.modes.get(key)?.find((mode) => !texts.has(mode))
      set.set(key, { path, value: free ?? MADE_UP })
    },
    api: (version) => apiVersions.push(version),
  }
  for (const guard of guards) satisfy(parseGuard(guard), guard.holds, guard.prefix, solver, 0)
  return { set, apiVersions }
}

// --- internal ---

interface Solver {
  readonly templates: TemplateText
  readonly values: Values
  readonly want: (path: Path, value: unknown) => void
  readonly avoid: (path: Path, text: string) => void
  readonly api: (version: string) => void
}

/** The conditions around a mention, those around the uses of its named template included; a few alternatives. */
function chainsOf({ guards, define }: Site, templates: TemplateText, depth: number): (readonly Guard[])[] {
  const sites = define === undefined || depth > 3 ? [] : (templates.includes.get(define) ?? [])
  if (sites.length === 0) return [guards]
  const chains = sites.slice(0, 4).flatMap((site) => chainsOf(site, templates, depth + 1))
  return chains.slice(0, 4).map((outer) => [...outer, ...guards])
}

/** A word, or a call: the function first. */
type Term = string | readonly Term[]

const parseGuard = ({ text }: Guard): Term => {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[()|]|:=|[^\s()|]+/g) ?? []
  let at = 0
  const pipeline = (): Term => {
    let value = call()
    while (tokens[at] === '|') {
      at += 1
      const next = call()
      value = [...(Array.isArray(next) ? next : [next as string]), value]
    }
    return value
  }
  const call = (): Term => {
    const words: Term[] = []
    while (at < tokens.length && tokens[at] !== ')' && tokens[at] !== '|') {
      if (tokens[at] === '(') {
        at += 1
        words.push(pipeline())
        at += 1
      } else {
        words.push(tokens[at] ?? '')
        at += 1
      }
    }
    const assigned = words.indexOf(':=')
    if (assigned >= 0) words.splice(0, assigned + 1)
    return words.length === 1 ? (words[0] ?? '') : words
  }
  return pipeline()
}

function valuePath(term: Term | undefined, prefix: readonly string[]): Path | undefined {
  if (typeof term !== 'string') return undefined
  const steps = /^(?:\$\w*)?(?:\.root|\.context|\.ctx)?\.Values((?:\.[\w-]+)+)$/
    .exec(term)?.[1]
    ?.slice(1)
    .split('.')
  if (steps === undefined) return undefined
  return steps[0] === 'global' ? steps : [...prefix, ...steps]
}

function satisfy(term: Term, holds: boolean, prefix: readonly string[], solver: Solver, depth: number): void {
  if (depth > 12) return
  const path = valuePath(term, prefix)
  if (path !== undefined) {
    truth(path, holds, solver)
    return
  }
  if (typeof term === 'string') return
  const [name, ...args] = term
  const inner = (one: Term, truthful: boolean): void => satisfy(one, truthful, prefix, solver, depth + 1)
  if (name === 'not') for (const one of args) inner(one, !holds)
  else if (name === 'and') for (const one of holds ? args : args.slice(0, 1)) inner(one, holds)
  else if (name === 'or') for (const one of holds ? args.slice(0, 1) : args) inner(one, holds)
  else if (name === 'gt' || name === 'ge') {
    const path = reference(args[0], prefix)
    const least = Number(args[1])
    if (path === undefined || !holds) return
    if (Array.isArray(args[0]) || Number.isNaN(least)) truth(path, true, solver)
    else solver.want(path, least + 1)
  } else if (name === 'eq' || name === 'ne') equal(args, (name === 'eq') === holds, prefix, solver)
  else if (name === 'include' && holds) included(String(args[0]).replace(/"/g, ''), solver)
  else if (typeof name === 'string' && name.endsWith('APIVersions.Has')) {
    if (holds) solver.api(String(args[0]).replace(/"/g, ''))
  } else if (
    name === 'default' ||
    name === 'tpl' ||
    name === 'toString' ||
    name === 'coalesce' ||
    name === 'empty'
  ) {
    for (const one of args)
      if (valuePath(one, prefix) !== undefined) inner(one, name === 'empty' ? !holds : holds)
  } else if (term.length === 1 && name !== undefined) inner(name, holds)
}

/** Makes a value true or false for a template, in the type it has. */
function truth(path: Path, holds: boolean, { values, want }: Solver): void {
  const value = valueAt(values, path)
  if (!holds) {
    if (typeof value === 'boolean') want(path, false)
    return
  }
  if (value === undefined || typeof value === 'boolean') want(path, true)
  else if (value === null || value === '') want(path, MADE_UP)
  else if (isMap(value) && Object.keys(value).length === 0) want(path, { x: {} })
  else if (Array.isArray(value) && value.length === 0) want(path, [{ x: MADE_UP }])
}

function equal(
  args: readonly Term[],
  holds: boolean,
  prefix: readonly string[],
  { want, avoid }: Solver,
): void {
  const at = args.findIndex((one) => reference(one, prefix) !== undefined)
  const path = reference(args[at], prefix)
  const other = args[at === 0 ? 1 : 0]
  if (path === undefined || typeof other !== 'string') return
  const literal: unknown = /^["`]/.test(other)
    ? other.slice(1, -1)
    : other === 'true'
      ? true
      : other === 'false'
        ? false
        : /^\d+$/.test(other)
          ? Number(other)
          : undefined
  if (literal === undefined) return
  if (holds) want(path, literal)
  else if (typeof literal === 'boolean') want(path, !literal)
  else avoid(path, other.slice(1, -1))
}

/** `.Values.x`, also under `lower`, `toString`, `default "y"`. */
function reference(term: Term | undefined, prefix: readonly string[]): Path | undefined {
  if (term === undefined || typeof term === 'string') return valuePath(term, prefix)
  for (const one of term) {
    const path = reference(one, prefix)
    if (path !== undefined) return path
  }
  return undefined
}

/**
 * A named template as a condition is mostly a question about `enabled` values, or whether all is there that the chart
 * needs, such as a key: all of them are switched on or filled in.
 */
function included(name: string, solver: Solver, depth = 0): void {
  const { templates, values, want } = solver
  for (const { path } of templates.defines.get(name) ?? []) {
    const value = valueAt(values, path)
    const key = String(path.at(-1))
    if (value === false && /enabled?$|create$/i.test(key)) want(path, true)
    if (isMap(value) && value.enabled === false) want([...path, 'enabled'], true)
    if ((value === '' || value === null) && NEEDED.test(key)) want(path, MADE_UP)
  }
  if (depth >= 3) return
  for (const [inner, sites] of templates.includes)
    if (inner !== name && sites.some(({ define }) => define === name)) included(inner, solver, depth + 1)
}

/** What a chart of a service wants to know before it installs anything. */
const NEEDED = /(?:license|api|access|cluster|account|site)[-_]?(?:key|name|id)?$|token$/i
