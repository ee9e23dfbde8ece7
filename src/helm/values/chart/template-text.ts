import { chartTree, type Chart, type ChartAt } from './files.ts'
import { mentionsIn } from '../reference-text.ts'
import { pathText, type Path } from '../tree.ts'

/** A mention of a value in the text of a template, with the conditions around it, outermost first. */
export interface ValueMention {
  /** From the root of the chart's values. */
  readonly path: Path
  readonly guards: readonly Guard[]
  readonly file: string
  /** The named template it stands in. */
  readonly define?: string
}

/** Where a named template is used. */
export type Site = Pick<ValueMention, 'guards' | 'define'>

export interface Guard {
  /** The condition as written; `with` and `range` count as one. */
  readonly text: string
  /** False in an `else`. */
  readonly holds: boolean
  readonly prefix: readonly string[]
}

export interface TemplateText {
  readonly mentions: readonly ValueMention[]
  /** Named templates that speak of values, by name. */
  readonly defines: ReadonlyMap<string, readonly ValueMention[]>
  /** Where each named template is used. */
  readonly includes: ReadonlyMap<string, readonly Site[]>
  /** Texts that a value is compared with, by its path: the modes a chart knows. */
  readonly modes: ReadonlyMap<string, readonly string[]>
  /** References written out in the templates. */
  readonly literals: readonly Literal[]
}

export interface Literal {
  readonly reference: string
  readonly file: string
  readonly line: number
  /** Outside of any action, so that no value can change it. */
  readonly fixed: boolean
}

/** Reads the text of all templates of a chart and its subcharts, which no render shows whole. */
export function readTemplates(chart: Chart): TemplateText {
  const mentions: ValueMention[] = []
  const defines = new Map<string, ValueMention[]>()
  const includes = new Map<string, Site[]>()
  const modes = new Map<string, string[]>()
  const literals: Literal[] = []
  for (const at of chartTree(chart)) {
    for (const [file, text] of at.chart.templates) {
      if (!/\.(?:ya?ml|tpl|json|txt)$/.test(file)) continue
      const where = [...at.prefix, file].join('/')
      scan(at, text, where, { mentions, defines, includes, modes })
      if (!file.endsWith('.txt') && !/^kind: CustomResourceDefinition/m.test(text))
        literals.push(...literalsOf(text, where))
    }
  }
  return { mentions, defines, includes, modes, literals }
}

// --- internal ---

interface Sink {
  readonly mentions: ValueMention[]
  readonly defines: Map<string, ValueMention[]>
  readonly includes: Map<string, Site[]>
  readonly modes: Map<string, string[]>
}

const ACTION = /\{\{-?\s*(?:\/\*[\s\S]*?\*\/|([\s\S]*?))\s*-?\}\}/g
const VALUE = /(?:^|[^\w.])(?:\$\w*)?\.(?:root\.|context\.|ctx\.|Context\.)?Values((?:\.[A-Za-z_][\w-]*)+)/g
const MODE = /\b(?:eq|ne)\s+\(?(?:lower\s+)?\$?\.Values((?:\.[A-Za-z_][\w-]*)+)\)?\s+"([^"]+)"/g
const CALL = /\b(?:include|template)\s+"([^"]+)"/g

interface Block {
  kind: 'guard' | 'define' | 'other'
  guard?: Guard
  name?: string
  /** What `.` is inside of a `with`. */
  dot?: Path
}

function scan(
  { prefix }: ChartAt,
  text: string,
  file: string,
  { mentions, defines, includes, modes }: Sink,
): void {
  const stack: Block[] = []
  const rooted = (steps: string): Path =>
    steps.startsWith('.global.') || steps === '.global'
      ? steps.slice(1).split('.')
      : [...prefix, ...steps.slice(1).split('.')]
  const aliases = new Map<string, string>()
  for (const match of text.matchAll(ACTION)) {
    if (match[1] === undefined || match[1] === '') continue
    const action = resolved(match[1], aliases)
    const [, word = '', rest = ''] = /^(\w+)?\s*([\s\S]*)$/.exec(action) ?? []
    const guards = stack.flatMap(({ guard }) => (guard === undefined ? [] : [guard]))
    const define = stack.find(({ kind }) => kind === 'define')?.name
    const note = (path: Path): void => {
      const mention = { path, guards, file, ...(define === undefined ? {} : { define }) }
      mentions.push(mention)
      if (define !== undefined) defines.set(define, [...(defines.get(define) ?? []), mention])
    }
    for (const [, steps = ''] of action.matchAll(VALUE)) note(rooted(steps))
    for (const [, steps = '', mode = ''] of action.matchAll(MODE)) {
      const key = pathText(rooted(steps))
      modes.set(key, [...new Set([...(modes.get(key) ?? []), mode])])
    }
    const dot = stack.findLast((block) => block.dot !== undefined)?.dot
    if (dot !== undefined) {
      for (const [, steps = ''] of action.matchAll(/(?:^|[\s(])((?:\.[a-zA-Z_][\w-]*)+)/g))
        if (!/^\.(?:Values|Release|Chart|Capabilities|Files|Template)\b/.test(steps))
          note([...dot, ...steps.slice(1).split('.')])
    }
    for (const [, name = ''] of action.matchAll(CALL))
      includes.set(name, [
        ...(includes.get(name) ?? []),
        { guards, ...(define === undefined ? {} : { define }) },
      ])
    if (word === 'if' || word === 'with' || word === 'range') {
      const single = /^(?:\$\w+\s*(?:,\s*\$\w+\s*)?:=\s*)?\$?\.Values((?:\.[A-Za-z_][\w-]*)+)$/.exec(
        rest,
      )?.[1]
      stack.push({
        kind: 'guard',
        guard: { text: rest, holds: true, prefix },
        ...(word === 'with' && single !== undefined ? { dot: rooted(single) } : {}),
      })
    } else if (word === 'else') {
      const top = stack.at(-1)
      if (top?.guard !== undefined) {
        const next = /^(?:if|with)\s+([\s\S]+)$/.exec(rest)?.[1]
        top.guard = next === undefined ? { ...top.guard, holds: false } : { text: next, holds: true, prefix }
      }
    } else if (word === 'define' || word === 'block')
      stack.push({ kind: 'define', name: /"([^"]+)"/.exec(rest)?.[1] ?? '' })
    else if (word === 'end') stack.pop()
  }
}

/** `$x := .Values.a` makes every later `$x.b` a mention of `.Values.a.b`. */
function resolved(action: string, aliases: Map<string, string>): string {
  const plain = action.replace(
    /\$(\w+)(?=[.\s)|]|$)(?!\s*:?=)/g,
    (whole, name: string) => aliases.get(name) ?? whole,
  )
  const [, name, value] =
    /^(?:with\s+|if\s+)?\$(\w+)\s*:?=\s*\(?(?:default\s+(?:dict|\(dict\))\s+)?((?:\$\w*)?\.Values(?:\.[A-Za-z_][\w-]*)*)\)?(?:\s*\|.*)?$/.exec(
      plain,
    ) ?? []
  if (name !== undefined && value !== undefined) aliases.set(name, value.replace(/^\$\w*/, ''))
  else {
    // `$on := or .Values.a .Values.b` is a condition with a name.
    const [, condition, expression] = /^\$(\w+)\s*:?=\s*([\s\S]*\.Values[\s\S]*)$/.exec(plain) ?? []
    if (condition !== undefined && expression !== undefined && expression.length < 400)
      aliases.set(condition, `(${expression})`)
  }
  return plain
}

/** Lines that name an image in plain text: `image: busybox`, or any text that is a reference. */
function literalsOf(text: string, file: string): Literal[] {
  const found: Literal[] = []
  const plain = text.replace(/\{\{-?\s*\/\*[\s\S]*?\*\/\s*-?\}\}/g, (comment) =>
    comment.replace(/[^\n]/g, ''),
  )
  for (const [at, line] of plain.split('\n').entries()) {
    if (/^\s*#/.test(line)) continue
    const own = /^\s*-?\s*image:\s*["']?([a-z0-9][a-z0-9._/:@-]*)["']?\s*(?:#.*)?$/.exec(line)?.[1]
    const references = own === undefined ? mentionsIn(line, 'none').map((mention) => mention.text) : [own]
    for (const reference of references)
      found.push({
        reference,
        file,
        line: at + 1,
        fixed: line.replace(/\{\{.*?\}\}/g, '').includes(reference),
      })
  }
  return found
}
