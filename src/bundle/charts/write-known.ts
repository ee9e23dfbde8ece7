import { canonicalRegistry } from '../../oci/alias.ts'
import { formatReference, parseReference, repositoryName, type Reference } from '../../oci/reference.ts'

/** As much of a binding as writing it takes; see SpecBinding. */
export interface Bindable {
  readonly path: string
  readonly leaves: readonly string[]
  readonly reference: string
  readonly also?: readonly string[]
  readonly image?: Reference
  readonly hook?: string
  readonly off?: boolean
}

/** One line of an override. */
export interface OverrideLine {
  readonly path: readonly string[]
  readonly value: string
  /** Why it says something else than the chart does; for a comment. */
  readonly comment?: string
}

/** A place in the values that stays as it is. */
export interface Unbound {
  readonly path: string
  /** Normalised. */
  readonly reference: string
  readonly reason: string
  /** Not pulled with the chart's own values. */
  readonly off: boolean
  readonly hook?: string
}

export interface Bound {
  readonly leaves: readonly OverrideLine[]
  readonly unbound: readonly Unbound[]
}

/**
 * The smallest set of values that makes each binding name its image in the private registry, in the chart's own shape:
 * a registry leaf takes everything before the chart's own path; without one the repository takes the whole name; a
 * text takes the whole reference. A tag is written only when the bundle has another one, because charts derive labels
 * and switches from tags. Only images that the bundle has are written: the rest is returned.
 * @param images the names of the bundle's images
 * @param destination `registry/repository` where the import puts an image of that name
 */
export function bind(
  bindings: readonly Bindable[],
  images: readonly Reference[],
  destination: (image: Reference) => string,
): Bound {
  const leaves = new Map<string, OverrideLine>()
  const unbound: Unbound[] = []
  for (const binding of bindings) {
    const refuse = (reference: string, reason: string): void => {
      const { path, off = false, hook } = binding
      unbound.push({ path, reference, reason, off, ...(hook === undefined ? {} : { hook }) })
    }
    const image = choose(binding, images)
    const written = typeof image === 'string' ? image : write(binding, image, destination(image))
    const conflict = typeof written === 'string' ? written : clash(written, leaves)
    if (conflict !== undefined) {
      refuse(formatReference(binding.image ?? parseReference(binding.reference)), conflict)
      continue
    }
    for (const leaf of typeof written === 'string' ? [] : written) leaves.set(leaf.path.join('.'), leaf)
    for (const other of binding.also ?? []) {
      const found = choose({ path: binding.path, leaves: [], reference: other }, images, true)
      if (typeof found === 'string') refuse(formatReference(parseReference(other)), found)
    }
  }
  return { leaves: [...leaves.values()], unbound }
}

// --- internal ---

const nameKey = (reference: Reference): string =>
  `${canonicalRegistry(reference.registry)}/${reference.repository}`

/** The bundle's image for a binding, or why there is none. */
function choose(binding: Bindable, images: readonly Reference[], exactly = false): Reference | string {
  const wanted = binding.image ?? parseReference(binding.reference)
  const named = images.filter((image) => nameKey(image) === nameKey(wanted))
  const same = named.filter((image) =>
    wanted.tag === undefined ? image.digest === wanted.digest : image.tag === wanted.tag,
  )
  const first =
    same.find(({ registry }) => registry === wanted.registry) ??
    same[0] ??
    (named.length === 1 ? named[0] : undefined)
  if (first !== undefined && (!exactly || same.length > 0)) return first
  if (named.length === 0) return 'the bundle does not have it'
  const tags = named.map(({ tag, digest }) => tag ?? digest ?? '').toSorted()
  return `the bundle has ${tags.join(', ')} of it`
}

/** The leaves that make a binding name `target` (`registry/repository`), or why they cannot. */
function write(binding: Bindable, image: Reference, target: string): readonly OverrideLine[] | string {
  const { reference, leaves } = binding
  const at = binding.path.split('.')
  const name = reference.replace(/@.*$/, '').replace(/:[^:/]*$/, '')
  if (leaves.length === 0) {
    const suffix = formatReference(image).slice(repositoryName(image).length)
    return [leaf(at, target + suffix, tagComment(binding, image))]
  }
  const version = writeVersion(binding, image, at)
  return typeof version === 'string' ? version : [...writeName(name, leaves, image, target, at), ...version]
}

function writeName(
  name: string,
  leaves: readonly string[],
  image: Reference,
  target: string,
  at: readonly string[],
): readonly OverrideLine[] {
  const repository = leaves.includes('repo') ? 'repo' : 'repository'
  const split = (path: string): readonly OverrideLine[] => {
    if (!leaves.includes('name')) return [leaf([...at, repository], path)]
    const slash = path.lastIndexOf('/')
    return [
      leaf([...at, repository], path.slice(0, Math.max(slash, 0))),
      leaf([...at, 'name'], path.slice(slash + 1)),
    ]
  }
  if (!leaves.includes('registry')) return split(target)
  const own = pathOf(name)
  if (target.endsWith(`/${image.repository}`)) {
    const registry = leaf([...at, 'registry'], target.slice(0, -image.repository.length - 1))
    // Docker Hub's single names are completed: the chart's `busybox` lies at `library/busybox`.
    return own === image.repository ? [registry] : [registry, ...split(image.repository)]
  }
  const path = target.endsWith(`/${own}`) ? own : target.slice(target.indexOf('/') + 1)
  const registry = leaf([...at, 'registry'], target.slice(0, -path.length - 1))
  return path === own ? [registry] : [registry, ...split(path)]
}

/** Tag and digest, where the bundle's differ from what the chart would say. */
function writeVersion(
  binding: Bindable,
  image: Reference,
  at: readonly string[],
): readonly OverrideLine[] | string {
  const { leaves, reference } = binding
  const own = parseReference(reference)
  const written: OverrideLine[] = []
  if (image.tag !== undefined && (binding.image !== undefined || image.tag !== tagIn(reference))) {
    if (!leaves.includes('tag'))
      return `the bundle has ${image.tag}, and no value of the chart changes the tag`
    written.push(leaf([...at, 'tag'], image.tag, tagComment(binding, image)))
  }
  if (image.digest === own.digest) return written
  const key = leaves.find((name) => name === 'digest' || name === 'sha')
  // A chart that pins another digest than the bundle has must stop pinning it.
  if (image.tag !== undefined)
    return own.digest === undefined || key === undefined ? written : [...written, leaf([...at, key], '')]
  if (key === undefined) return 'the bundle has it by digest only, and the chart has no value for a digest'
  const value = key === 'sha' ? (image.digest ?? '').replace(/^sha256:/, '') : (image.digest ?? '')
  return [...written, leaf([...at, key], value)]
}

function tagComment({ reference, image: instead }: Bindable, image: Reference): string | undefined {
  const own = tagIn(reference)
  return instead === undefined && own !== undefined && own !== image.tag
    ? `the chart's own is ${own}`
    : undefined
}

/** The tag as written; none is not `latest` here, because the chart finds it by other means. */
const tagIn = (reference: string): string | undefined => /:([^:/@]+)(?:@|$)/.exec(reference)?.[1]

const leaf = (path: readonly string[], value: string, comment?: string): OverrideLine => ({
  path,
  value,
  ...(comment === undefined ? {} : { comment }),
})

/** A name as the chart writes it, without its host: `busybox` stays `busybox`. */
function pathOf(name: string): string {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  return /[.:]/.test(first) || first === 'localhost' ? name.slice(slash + 1) : name
}

function clash(
  written: readonly OverrideLine[],
  leaves: ReadonlyMap<string, OverrideLine>,
): string | undefined {
  const found = written.find(({ path, value }) => (leaves.get(path.join('.'))?.value ?? value) !== value)
  return found === undefined ? undefined : `${found.path.join('.')} already names another image`
}
