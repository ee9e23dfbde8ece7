import { isImageKey, looksLikeReference, normalisedReference } from '../reference-text.ts'

/** A kind of object that a chart defines, and what its schema says of images. */
export interface CustomKind {
  readonly kind: string
  /** `kafka.strimzi.io` */
  readonly group?: string
  /** Where an object of this kind names an image: `.spec.containers[].image`. */
  readonly fields: readonly string[]
  /** Its fields speak of pods: an object of this kind makes a controller run something. */
  readonly runsPods: boolean
  /** Images that an object of this kind stands for when it names none. */
  readonly defaults: readonly { readonly reference: string; readonly field: string }[]
}

/**
 * The kinds that a text defines. It is read line by line, as definitions are written by programs, a few MiB long, and
 * often have a template's logic around them.
 */
export function customKindsIn(text: string): CustomKind[] {
  if (!text.includes('CustomResourceDefinition')) return []
  return text.split(/^---[ \t]*(?:#.*)?$/m).flatMap((part) => {
    if (!/^kind:[ \t]*["']?CustomResourceDefinition/m.test(part)) return []
    const kind = /^ +names:\s*(?:\n(?: {4,}.*|\s*))*?\n +kind: ["']?(\w+)/m.exec(part)?.[1]
    if (kind === undefined) return []
    const group = /^ {2}group:[ \t]*["']?([a-z0-9.-]+)/m.exec(part)?.[1]
    return [{ kind, ...(group === undefined ? {} : { group }), ...schemaImages(part) }]
  })
}

// --- internal ---

interface Step {
  readonly indent: number
  readonly key: string
}

const LINE = /^( *)(?:- )?(["']?)([\w.$-]+)\2:(?:[ \t]+(.*))?$/

function schemaImages(text: string): Pick<CustomKind, 'fields' | 'runsPods' | 'defaults'> {
  const fields = new Set<string>()
  const defaults = new Map<string, { reference: string; field: string }>()
  const stack: Step[] = []
  let runsPods = false
  let prose = Number.POSITIVE_INFINITY
  for (const line of text.split('\n')) {
    const [, space = '', , key = '', rest = ''] = LINE.exec(line) ?? []
    const indent = line.length - line.trimStart().length
    if (line.trim() === '' || indent > prose) continue
    prose = Number.POSITIVE_INFINITY
    if (key === '') continue
    while ((stack.at(-1)?.indent ?? -1) >= space.length) stack.pop()
    stack.push({ indent: space.length, key })
    const isProperty = stack.at(-2)?.key === 'properties'
    // Also the further lines of a plain text.
    if (!isProperty && (key === 'description' || /^[|>]/.test(rest))) prose = space.length
    if (isProperty) {
      runsPods ||= OF_PODS.test(key)
      if (takesImage(key)) fields.add(fieldOf(stack))
    } else if (/[/:]/.test(rest)) {
      const reference = defaultIn(stack, rest)
      const field = reference === undefined ? '' : fieldOf(stack)
      if (reference !== undefined) defaults.set(`${field} ${reference}`, { reference, field })
    }
  }
  const own = [...fields].filter((field) => !NOT_RUN.test(field))
  return { fields: shortest(own), runsPods: runsPods || own.length > 0, defaults: [...defaults.values()] }
}

const OF_PODS =
  /^(?:podTemplate|podTemplateSpec|podSpec|pod|containers|initContainers|tolerations|nodeSelector)$/
/** What is mounted, checked or reported is not run. */
const NOT_RUN = /^\.status\.|\.volumes\[\]|verif|\.match\b/i

/** `.spec.containers[].image`, of the steps that are properties of the object. */
function fieldOf(stack: readonly Step[]): string {
  const isDefault = (at: number): boolean =>
    stack[at]?.key === 'default' && stack[at - 1]?.key !== 'properties'
  let field = ''
  let inDefault = false
  for (const [at, { key }] of stack.entries()) {
    if (isDefault(at)) inDefault = true
    else if (inDefault || stack[at - 1]?.key === 'properties') field += `.${key}`
    else if (key === 'items' && field !== '') field += '[]'
    else if (key === 'additionalProperties' && field !== '') field += '.*'
  }
  return field
}

/** `default: repo/name:1` of an image's field, or an image's field in a default that is a map. */
function defaultIn(stack: readonly Step[], rest: string): string | undefined {
  const at = stack.findIndex(({ key }, index) => key === 'default' && stack[index - 1]?.key !== 'properties')
  if (at < 0) return undefined
  const own = stack.length - 1 === at ? (stack[at - 1]?.key ?? '') : (stack.at(-1)?.key ?? '')
  const text = rest.replace(/^(["'])(.*)\1\s*$/, '$2').trim()
  // Without a version it is the beginning of a name as often as not.
  if (/[{}\s]/.test(text) || !/[:@][^/]+$/.test(text)) return undefined
  return isImageKey(own) || looksLikeReference(text) ? normalisedReference(text) : undefined
}

const takesImage = (key: string): boolean =>
  /^(?:[a-z]\w*)?[iI]mage(?:Name|Repository)?$/.test(key) && isImageKey(key)

const FIELDS = 6

/** A pod's template repeats them for every kind of container: the nearest to the top tell enough. */
const shortest = (fields: readonly string[]): readonly string[] =>
  fields.toSorted((a, b) => a.split('.').length - b.split('.').length || (a < b ? -1 : 1)).slice(0, FIELDS)
