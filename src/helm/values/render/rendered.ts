import { parseAllDocuments } from 'yaml'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import type { Where } from '../binding.ts'
import type { RenderedDocument } from './documents.ts'
import { isImageKey, mentionsIn, type Hint, type Mention } from '../reference-text.ts'
import { compositesIn, type Composite } from './composite.ts'
import { isMap, pathText, type Path, type Values } from '../tree.ts'

/** A reference in a rendered object. */
export interface RenderedReference {
  /** Finds the same place in another render: object, field and how many stand before it in that field. */
  readonly place: string
  readonly kind: string
  readonly name: string
  readonly path: string
  readonly where: Where
  readonly hook?: string
  /** As rendered. */
  readonly text: string
  /** Where in the field's text it starts. */
  readonly start: number
}

/** One place may hold different images in different variants. */
export const placeKey = (place: string, text: string | undefined): string => `${place} ${text ?? ''}`

/** A string of a rendered object that may hold references, with what its surroundings say about it. */
export interface Field {
  readonly place: string
  readonly document: RenderedDocument
  readonly path: Path
  readonly where: Where
  readonly hint: Hint
  readonly text: string
  /** The references in it, looked for once. */
  readonly mentions: () => readonly Mention[]
}

/** Every string of every object, decoded where it is a secret. */
export function* fieldsOf(documents: readonly RenderedDocument[]): Iterable<Field> {
  for (const document of documents) {
    for (const part of partsOf(document)) yield { ...part, place: `${document.key}#${part.at}`, document }
  }
}

/** Every reference in every string of every object: images, commands, arguments, environments, configuration. */
export function referencesOf(
  documents: readonly RenderedDocument[],
  known?: (token: string) => boolean,
): RenderedReference[] {
  const found: RenderedReference[] = []
  for (const field of fieldsOf(documents)) {
    const mentions = known === undefined ? field.mentions() : mentionsIn(field.text, field.hint, known)
    for (const [at, { start, text }] of mentions.entries()) found.push({ ...placeOf(field, at), text, start })
  }
  return found
}

export const placeOf = (
  { document, place, path, where }: Field,
  at: number,
): Omit<RenderedReference, 'text' | 'start'> => ({
  place: `${place}#${at}`,
  kind: document.kind,
  name: document.name,
  path: pathText(path),
  where,
  ...(document.hook === undefined ? {} : { hook: document.hook }),
})

// --- internal ---

type Part = Omit<Field, 'place' | 'document'> & { readonly at: string }

/** Most objects are the same object in render after render: `createDocuments`. */
const parts = new WeakMap<object, readonly Part[]>()

function partsOf(document: RenderedDocument): readonly Part[] {
  const before = parts.get(document.object)
  if (before !== undefined) return before
  const made = [
    ...[...walk(document.object, [], 'none')].map(({ path, text, hint }) =>
      partOf(path, text, hint, whereOf(document, path, hint)),
    ),
    ...splitParts(document),
  ]
  parts.set(document.object, made)
  return made
}

function partOf(path: Path, text: string, hint: Hint, where: Where, suffix = ''): Part {
  let found: readonly Mention[] | undefined
  const mentions = () => (found ??= mentionsIn(text, hint))
  return { at: pathText(path) + suffix, path, text, hint, where, mentions }
}

/** The parts of a reference joined as if they were one field. Pods name images whole; other objects may not. */
function* splitParts(document: RenderedDocument): Iterable<Part> {
  const made = ({ path, text }: Composite, inside: Path, where: Where): Part =>
    partOf([...inside, ...path], text, 'image', where, '+')
  if (document.kind === 'ConfigMap' || document.kind === 'Secret') {
    const plain = isMap(document.object.data) ? document.object.data : {}
    const data = document.kind === 'Secret' ? decoded(plain) : plain
    for (const [key, value] of Object.entries(data)) {
      if (typeof value !== 'string' || !SPLIT.test(value)) continue
      for (const composite of compositesIn(parsedText(value)))
        yield made(composite, ['data', key], document.kind === 'Secret' ? 'secret' : 'configmap')
    }
  } else if (!WORKLOADS.test(document.kind) && isMap(document.object.spec)) {
    for (const composite of compositesIn(document.object.spec)) yield made(composite, ['spec'], 'cr')
  }
}

/** Worth parsing: a registry or repository of its own, or a name that starts with a host. */
const SPLIT =
  /(?:hub|registry|repository)["']?\s*:|name["']?\s*:\s*["']?[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?\//

function parsedText(text: string): unknown {
  if (text.length > 500_000 || nestsDeeper(text, MAX_NESTING)) return undefined
  const [document] = parseAllDocuments(text, { logLevel: 'silent', uniqueKeys: false })
  return document === undefined || !('errors' in document) || document.errors.length > 0
    ? undefined
    : (document.toJS({ maxAliasCount: 100 }) as unknown)
}

interface Walked {
  readonly path: Path
  readonly text: string
  readonly hint: Hint
}

/** Labels, names and selectors carry tags and image names, but nothing is pulled by them. */
const NEVER = new Set([
  'labels',
  'matchLabels',
  'selector',
  'finalizers',
  'apiVersion',
  'kind',
  'imagePullPolicy',
])

function* walk(value: unknown, path: Path, hint: Hint): Iterable<Walked> {
  if (typeof value === 'string') {
    if (value !== '') yield { path, text: value, hint }
  } else if (Array.isArray(value)) {
    const names = namesOf(value)
    for (const [at, item] of value.entries()) {
      const flag: unknown = at > 0 ? value[at - 1] : undefined
      const named =
        typeof flag === 'string' && /^-{1,2}[A-Za-z]/.test(flag) && !flag.includes('=') && isImageKey(flag)
      yield* walk(item, [...path, names[at] ?? at], named || hint === 'named' ? 'named' : 'none')
    }
  } else if (isMap(value)) {
    const variable = typeof value.name === 'string' && isImageKey(value.name)
    for (const [key, inner] of Object.entries(value)) {
      if (NEVER.has(key) && path[0] !== 'data') continue
      if (key === 'data' && path.length === 0 && value.kind === 'Secret') {
        yield* walk(decoded(inner), [...path, key], 'none')
        continue
      }
      const named = isImageKey(key) || (key === 'value' && variable)
      // `image: auto` is filled in by istio's injector when the pod starts.
      if (key === 'image' && inner === 'auto') continue
      // A bare name next to a repository is only a part.
      if (key === 'image' && isPartOf(value)) continue
      const exact = key === 'image' && typeof inner === 'string' && path[0] !== 'data'
      yield* walk(
        inner,
        [...path, key],
        exact ? 'image' : named && typeof inner !== 'object' ? 'named' : 'none',
      )
    }
  }
}

const isPartOf = (map: Values): boolean =>
  typeof map.repository === 'string' && typeof map.image === 'string' && !/[/:]/.test(map.image)

/**
 * Containers and variables are known by their names, which stay when others come before them. A name made from the
 * release's may be new in every render.
 */
function namesOf(items: readonly unknown[]): (string | undefined)[] {
  const names = items.map((item) =>
    isMap(item) && typeof item.name === 'string' && !item.name.startsWith('release-')
      ? `[${item.name}]`
      : undefined,
  )
  return names.map((name, at) => (name === undefined || names.indexOf(name) === at ? name : undefined))
}

/** The texts among a secret's base64 values. */
function decoded(data: unknown): Record<string, string> {
  const texts: Record<string, string> = {}
  if (!isMap(data)) return texts
  for (const [key, value] of Object.entries(data)) {
    const text = typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : ''
    if (text !== '' && isText(text)) texts[key] = text
  }
  return texts
}

const isText = (text: string): boolean =>
  !text.includes('\uFFFD') && !text.split('').some((char) => char < '\t')

const WORKLOADS =
  /^(?:Pod|Deployment|DaemonSet|StatefulSet|ReplicaSet|ReplicationController|Job|CronJob|PodTemplate)$/

function whereOf({ kind }: RenderedDocument, path: Path, hint: Hint): Where {
  if (kind === 'ConfigMap') return 'configmap'
  if (kind === 'Secret') return 'secret'
  if (path.includes('env')) return 'env'
  if (path.includes('args') || path.includes('command')) return 'arg'
  return hint === 'image' && WORKLOADS.test(kind) ? 'image' : WORKLOADS.test(kind) ? 'configmap' : 'cr'
}
