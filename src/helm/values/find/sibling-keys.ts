import type { LeafRole } from '../binding.ts'
import { isImageKey, looksLikeReference } from '../reference-text.ts'
import { type Path, type Values } from '../tree.ts'

/** The keys of one map that together make one reference. */
export interface Family {
  readonly at: Path
  readonly leaves: readonly (readonly [LeafRole, string])[]
}

/** The references that the keys of a map speak of. */
export function familiesOf(map: Values, path: Path): Family[] {
  const keys = Object.keys(map)
  const underImage = path.some((step) => typeof step === 'string' && isImageKey(step))
  const taken = new Set<string>()
  const families: Family[] = []
  const sibling = (prefix: string, pattern: RegExp): string | undefined =>
    keys.find((key) => {
      const rest = key.startsWith(prefix) ? key.slice(prefix.length) : undefined
      return rest !== undefined && pattern.test(rest) && isScalar(map[key])
    })
  const add = (prefix: string, main: readonly [LeafRole, string], flat: boolean): void => {
    const leaves: (readonly [LeafRole, string])[] = []
    const registry = sibling(prefix, /^(?:image_?|container_?)?registry$/i)
    if (registry !== undefined && main[0] !== 'reference') leaves.push(['registry', registry])
    leaves.push(main)
    const name =
      main[0] === 'repository'
        ? (sibling(prefix, /^(?:image_?)?name$/i) ??
          (prefix === '' && main[1].toLowerCase() !== 'image' ? sibling('', /^image$/i) : undefined))
        : undefined
    const named = name === undefined ? '' : map[name]
    if (
      name !== undefined &&
      (underImage || name === 'image') &&
      typeof named === 'string' &&
      /^[a-z0-9][a-z0-9._-]*$/.test(named)
    )
      leaves.push(['name', name])
    const tag =
      sibling(prefix, /^(?:image_?)?tag$/i) ??
      (underImage || name === 'image' ? sibling(prefix, /^version$/i) : undefined)
    if (tag !== undefined) leaves.push(['tag', tag])
    const digest = sibling(prefix, /^(?:image_?)?(?:digest|sha|sha256)$/i)
    if (digest !== undefined) leaves.push(['digest', digest])
    for (const [, key] of leaves) taken.add(key)
    families.push({ at: flat && prefix !== '' ? [...path, main[1]] : path, leaves })
  }
  for (const key of keys) {
    const prefix = REPOSITORY.exec(key)?.[1]
    const value = map[key]
    if (prefix === undefined || !(typeof value === 'string' || (value === null && underImage))) continue
    // A knob that other images fall back on, not an image of its own.
    if (/^default/i.test(prefix) && !(value ?? '').includes('/')) continue
    const tagged = sibling(prefix, /^(?:image_?)?(?:tag|version)$/i) !== undefined
    if (/:\/\//.test(value ?? '')) continue
    if (underImage || isImageKey(key) || (tagged && isNameText(value ?? '')))
      add(prefix, ['repository', key], true)
  }
  for (const key of keys) {
    const value = map[key]
    if (taken.has(key) || typeof value !== 'string' || value === '') continue
    const prefix = key.replace(/image$/i, '')
    const tagged =
      sibling(key, /^_?(?:tag|version)$/i) ??
      sibling(prefix, /^_?tag$/i) ??
      sibling('', underImage ? /^(?:tag|version)$/i : /^tag$/i)
    if (
      GENERIC_IMAGE.test(key) &&
      tagged !== undefined &&
      !taken.has(tagged) &&
      !hasVersion(value) &&
      isNameText(value, underImage)
    )
      add(prefix, ['repository', key], false)
    else if (/image_?prefix$/i.test(key) || (isImageKey(key) && /image$/i.test(key) && isNameText(value)))
      families.push({ at: [...path, key], leaves: [['reference', key]] })
    else if (looksLikeReference(value)) families.push({ at: [...path, key], leaves: [['reference', key]] })
  }
  return families
}

/** The last part of a name carries a tag or a digest. */
export const hasVersion = (text: string): boolean => /[:@]/.test(text.slice(text.lastIndexOf('/') + 1))

// --- internal ---

const REPOSITORY = /^(.*?)(?:repository|repo)$/i
const GENERIC_IMAGE = /^(?:image|img|name|imagename|image_name)$/i

const isScalar = (value: unknown): boolean =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value)

/** Could be `registry/repository`, with or without a version. */
function isNameText(text: string, single = false): boolean {
  if (!/^[a-z0-9][a-z0-9._/:@-]*$/.test(text) || text.includes('://')) return false
  return single || text.includes('/') || hasVersion(text)
}
