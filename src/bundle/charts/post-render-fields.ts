import { NEVER_PULLED } from '../../helm/values/render/strings.ts'
import { isAlias, isMap, isScalar, isSeq, type Document, type Scalar, type YAMLMap } from 'yaml'
import { isImageKey, type Hint } from '../../helm/values/reference-text.ts'

/** A string of a rendered object, where it stands in the text, and what its surroundings say about it. */
export interface ManifestField {
  readonly scalar: Scalar<string>
  readonly hint: Hint
  /** The reference that this field makes with those beside it, and the part of its name that stands here. */
  readonly split?: SplitReference
  /** The value is base64, as in a Secret's `data`. */
  readonly encoded: boolean
}

/** `repository: quay.io/team/app` beside `tag: v1`, or the same in three. */
export interface SplitReference {
  readonly reference: string
  readonly part: 'registry' | 'path' | 'name'
}

/**
 * Every string of one object that may name an image. Labels, selectors and keys do not; a custom resource definition
 * only describes fields.
 */
export function* fieldsOf(document: Document.Parsed): Iterable<ManifestField> {
  yield* fieldsOfObject(document.contents)
}

// --- internal ---

interface Place {
  readonly hint: Hint
  readonly encoded: boolean
  readonly split?: SplitReference
}

/** Free text by free keys. */
const DATA = ['data', 'stringData']

const hintOf = (key: string): Hint => (isImageKey(key) ? 'named' : 'none')

function* fieldsOfObject(object: unknown): Iterable<ManifestField> {
  const plain: Place = { hint: 'none', encoded: false }
  const kind = isMap(object) ? textAt(object, 'kind') : undefined
  if (!isMap(object) || kind === 'CustomResourceDefinition') return
  const items = object.get('items')
  if (kind?.endsWith('List') === true && isSeq(items)) {
    for (const item of items.items) yield* fieldsOfObject(item)
    return
  }
  for (const key of DATA) {
    const data = object.get(key)
    if (!isMap(data)) continue
    const encoded = kind === 'Secret' && key === 'data'
    for (const pair of pairsOf(data)) yield* walk(pair.value, { hint: hintOf(pair.key), encoded })
  }
  yield* walkMap(object, plain, DATA)
}

function* walk(node: unknown, place: Place): Iterable<ManifestField> {
  // What an alias stands for is edited where it is written.
  if (isAlias(node)) return
  if (isStringScalar(node)) {
    const { hint, encoded, split } = place
    yield { scalar: node, hint, encoded, ...(split === undefined ? {} : { split }) }
  } else if (isSeq(node)) {
    for (const [at, item] of node.items.entries()) {
      const before: unknown = node.items[at - 1]
      const flagged =
        isStringScalar(before) && /^-{1,2}[A-Za-z][^=\s]*$/.test(before.value) && isImageKey(before.value)
      yield* walk(item, {
        encoded: place.encoded,
        hint: flagged || place.hint === 'named' ? 'named' : 'none',
      })
    }
  } else if (isMap(node)) yield* walkMap(node, place)
}

function* walkMap(map: YAMLMap, { encoded }: Place, except: readonly string[] = []): Iterable<ManifestField> {
  const variable = isImageKey(textAt(map, 'name') ?? '')
  const repository = textAt(map, 'repository')
  const splits = splitsOf(map)
  for (const { key, value } of pairsOf(map)) {
    if (NEVER_PULLED.has(key) || except.includes(key)) continue
    const text = isStringScalar(value) ? value.value : undefined
    // `image: auto` is filled in by istio's injector; a bare name next to a repository is only a part of one.
    if (key === 'image' && (text === 'auto' || (repository !== undefined && !/[/:]/.test(text ?? ''))))
      continue
    const hint = key === 'image' && text !== undefined ? 'image' : hintOf(key)
    const named = key === 'value' && variable ? 'named' : hint
    const split = splits[key]
    yield* walk(value, {
      hint: isMap(value) ? 'none' : named,
      encoded,
      ...(split === undefined ? {} : { split }),
    })
  }
}

const isStringScalar = (node: unknown): node is Scalar<string> =>
  isScalar(node) && typeof node.value === 'string'

const pairsOf = (map: YAMLMap): { readonly key: string; readonly value: unknown }[] =>
  map.items.map(({ key, value }) => ({ key: isScalar(key) ? String(key.value) : '', value }))

/** By key, what a name without a version makes with the version beside it. */
function splitsOf(map: YAMLMap): Readonly<Record<string, SplitReference>> {
  const version = textAt(map, 'tag') ?? textAt(map, 'version')
  const key = ['repository', 'image'].find((one) => textAt(map, one) !== undefined)
  const name = key === undefined ? undefined : textAt(map, key)
  if (version === undefined || key === undefined || name === undefined || /:[^/]*$|@/.test(name)) return {}
  const registry = textAt(map, 'registry')
  if (registry === undefined || registry === '') {
    return { [key]: { reference: `${name}:${version}`, part: 'name' } }
  }
  const reference = `${registry}/${name}:${version}`
  return { registry: { reference, part: 'registry' }, [key]: { reference, part: 'path' } }
}

/** As it is written: `1.20` is no number here. */
function textAt(map: YAMLMap, key: string): string | undefined {
  const node = map.get(key, true)
  if (!isScalar(node) || node.value === null || typeof node.value === 'boolean') return undefined
  return typeof node.value === 'string' ? node.value : node.source
}
