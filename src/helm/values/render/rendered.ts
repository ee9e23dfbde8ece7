import { parseAllDocuments } from 'yaml'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import type { Where } from '../binding.ts'
import type { RenderedDocument } from './documents.ts'
import { lastSegment, mentionsIn, normalisedReference, type Hint, type Mention } from '../reference-text.ts'
import { compositesIn, compositesInKeys, compositesInLists, type Composite } from './composite.ts'
import { registriesIn } from './registries.ts'
import { decoded, stringsOf, type ObjectString } from './strings.ts'
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
  /** The beginning of a name, or a registry alone: a program adds the rest. */
  readonly stem?: true
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
  /** Parts of references that stand in several fields of the object: none of them is one. */
  readonly joined: ReadonlySet<string>
  /** Names in it that no version goes with. */
  readonly names: () => readonly string[]
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
    const mentions =
      known === undefined
        ? field.mentions()
        : mentionsIn(field.text, field.hint, known).filter(
            ({ versionless, text }) => (versionless !== true || known(text)) && !isPart(text, field.joined),
          )
    for (const [at, { start, text, stem }] of mentions.entries())
      found.push({ ...placeOf(field, at), text, start, ...(stem === true ? { stem } : {}) })
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
  const split = [...splitParts(document)]
  const joined = new Set(split.flatMap((composite) => composite.parts))
  const made = [...stringsOf(document.object, workload(document))].map((walked) =>
    partOf(walked, whereOf(document, walked.path, walked.hint), joined),
  )
  for (const { inside, path, text, where, versionless } of split) {
    if (versionless === true || normalisedReference(text) === undefined) continue
    made.push(partOf({ path: [...inside, ...path], text, hint: 'image', key: '' }, where, new Set(), '+'))
  }
  parts.set(document.object, made)
  return made
}

/** @param joined what is only a part of a reference that stands in several fields */
function partOf(
  { path, text, hint, key }: ObjectString,
  where: Where,
  joined: ReadonlySet<string>,
  suffix = '',
): Part {
  let found: { readonly mentions: readonly Mention[]; readonly names: readonly string[] } | undefined
  const read = () => {
    const all = mentionsIn(text, hint).filter((mention) => !isPart(mention.text, joined))
    const isWhole = (one: Mention): boolean => /[:@]/.test(lastSegment(one.text)) || one.stem === true
    const registries =
      hint === 'image'
        ? []
        : registriesIn(text, key, all.filter(isWhole)).filter((one) => !joined.has(one.text))
    const starts = new Set(registries.map(({ start }) => start))
    const whole = all
      .filter((one) => one.versionless !== true && !starts.has(one.start))
      // Outside of pods a name without a version is mostly one to which a program adds it.
      .map((one): Mention => (isWhole(one) || hint === 'image' ? one : { ...one, stem: true }))
    const names = [...all, ...registries].flatMap((one) => (one.versionless === true ? [one.text] : []))
    return {
      mentions: [...whole, ...registries.filter(({ stem }) => stem)].toSorted((a, b) => a.start - b.start),
      // A bare word in a custom resource: whether an image is called so, only its controller knows.
      names: hint === 'word' ? [...names, text] : names,
    }
  }
  return {
    at: pathText(path) + suffix,
    path,
    text,
    hint,
    where,
    joined,
    mentions: () => (found ??= read()).mentions,
    names: () => (found ??= read()).names,
  }
}

const isPart = (text: string, joined: ReadonlySet<string>): boolean =>
  joined.has(text) && !/[:@]/.test(lastSegment(text))

interface SplitPart extends Composite {
  /** The field of the object that holds the composite. */
  readonly inside: Path
  readonly where: Where
}

/** The parts of a reference joined as if they were one field. Pods name images whole; other objects may not. */
function* splitParts(document: RenderedDocument): Iterable<SplitPart> {
  const { kind, object } = document
  if (kind === 'ConfigMap' || kind === 'Secret') {
    const where = kind === 'Secret' ? 'secret' : 'configmap'
    const data = dataOf(document)
    for (const composite of compositesInKeys(data, ['data'])) yield { ...composite, inside: [], where }
    for (const [key, value] of Object.entries(data)) {
      if (typeof value !== 'string' || !SPLIT.test(value)) continue
      for (const composite of compositesIn(parsedText(value)))
        yield { ...composite, inside: ['data', key], where }
    }
  } else if (workload(document))
    for (const composite of compositesInLists(object)) yield { ...composite, inside: [], where: 'env' }
  else if (isMap(object.spec))
    for (const composite of compositesIn(object.spec)) yield { ...composite, inside: ['spec'], where: 'cr' }
}

/** The texts of a config map or a secret, decoded. */
const dataOf = ({ kind, object: { data, stringData } }: RenderedDocument): Values => ({
  ...(kind === 'Secret' ? decoded(data) : isMap(data) ? data : {}),
  ...(isMap(stringData) ? stringData : {}),
})

const workload = ({ kind }: RenderedDocument): boolean => WORKLOADS.test(kind)

/** Worth parsing: a registry or repository of its own, or a name that starts with a host. */
const SPLIT =
  /(?:hub|registry|repository|repo)["']?\s*:|(?:name|image)["']?\s*:\s*["']?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d+)?\/|url["']?\s*:\s*["']?oci:/i

function parsedText(text: string): unknown {
  if (text.length > 500_000 || nestsDeeper(text, MAX_NESTING)) return undefined
  const [document] = parseAllDocuments(text, { logLevel: 'silent', uniqueKeys: false })
  return document === undefined || !('errors' in document) || document.errors.length > 0
    ? undefined
    : (document.toJS({ maxAliasCount: 100 }) as unknown)
}

const WORKLOADS =
  /^(?:Pod|Deployment|DaemonSet|StatefulSet|ReplicaSet|ReplicationController|Job|CronJob|PodTemplate)$/

function whereOf({ kind }: RenderedDocument, path: Path, hint: Hint): Where {
  if (kind === 'ConfigMap') return 'configmap'
  if (kind === 'Secret') return 'secret'
  if (path.includes('env')) return 'env'
  if (path.includes('args') || path.includes('command')) return 'arg'
  return hint === 'image' && WORKLOADS.test(kind) ? 'image' : WORKLOADS.test(kind) ? 'configmap' : 'cr'
}
