import { isImageKey, type Hint } from '../reference-text.ts'
import { isMap, type Path } from '../tree.ts'

/** A string of an object, with what its surroundings say about it. */
export interface ObjectString {
  readonly path: Path
  readonly text: string
  readonly hint: Hint
  /** The name of its field, of the variable it is the value of, or of the flag before it. */
  readonly key: string
}

/**
 * Every string of an object, decoded where it is a secret.
 * @param isWorkload whether `image` names an image wherever it stands
 */
export function* stringsOf(object: unknown, isWorkload: boolean): Iterable<ObjectString> {
  yield* walk(object, { path: [], hint: 'none', key: '' }, isWorkload)
}

/** The texts among a secret's base64 values. */
export function decoded(data: unknown): Record<string, string> {
  const texts: Record<string, string> = {}
  if (!isMap(data)) return texts
  for (const [key, value] of Object.entries(data)) {
    const text = typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : ''
    if (text !== '' && isText(text)) texts[key] = text
  }
  return texts
}

/** Labels, names and selectors carry tags and image names, but nothing is pulled by them. */
export const NEVER_PULLED = new Set([
  'labels',
  'matchLabels',
  'selector',
  'finalizers',
  'apiVersion',
  'kind',
  'imagePullPolicy',
])

// --- internal ---

type At = Omit<ObjectString, 'text'>

function* walk(value: unknown, { path, hint, key: own }: At, inPod: boolean): Iterable<ObjectString> {
  if (typeof value === 'string') {
    if (value !== '') yield { path, text: value, hint, key: own }
  } else if (Array.isArray(value)) {
    const names = namesOf(value)
    for (const [at, item] of value.entries()) {
      const before: unknown = at > 0 ? value[at - 1] : undefined
      const flag =
        typeof before === 'string' && /^-{1,2}[A-Za-z]/.test(before) && !before.includes('=')
          ? before
          : undefined
      const named = (flag !== undefined && isImageKey(flag)) || hint === 'named'
      yield* walk(
        item,
        { path: [...path, names[at] ?? at], hint: named ? 'named' : 'none', key: flag ?? own },
        inPod,
      )
    }
  } else if (isMap(value)) {
    const variable = typeof value.name === 'string' ? value.name : ''
    for (const [key, inner] of Object.entries(value)) {
      if (NEVER_PULLED.has(key) && path[0] !== 'data') continue
      const at = (of: Hint): At => ({ path: [...path, key], hint: of, key: key === 'value' ? variable : key })
      if (key === 'data' && path.length === 0 && value.kind === 'Secret') {
        yield* walk(decoded(inner), at('none'), false)
        continue
      }
      const named = isImageKey(key) || (key === 'value' && isImageKey(variable))
      // `image: auto` is filled in by istio's injector when the pod starts.
      if (key === 'image' && inner === 'auto') continue
      const isContainers = /^(?:c|initC|ephemeralC)ontainers$/.test(key)
      const hint =
        key === 'image' && typeof inner === 'string' && path[0] !== 'data'
          ? // A controller may take a bare word for a part of a name, or for anything else.
            inPod || /[/:@]/.test(inner)
            ? 'image'
            : 'word'
          : named && typeof inner !== 'object'
            ? 'named'
            : 'none'
      yield* walk(inner, at(hint), inPod || isContainers)
    }
  }
}

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

const isText = (text: string): boolean =>
  !text.includes('\uFFFD') && !text.split('').some((char) => char < '\t')
