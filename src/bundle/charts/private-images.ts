import { canonicalRegistry } from '../../oci/alias.ts'
import type { Digest } from '../../oci/digest.ts'
import { formatReference, parseReference, type Reference } from '../../oci/reference.ts'
import type { RootContents } from '../format/contents.ts'
import { imageRepository, type Layout } from '../format/destination.ts'
import { canonicalText } from '../spec/hints.ts'

/** An image of the bundle as the private registry has it. */
export interface PrivateImage {
  /** `registry/repository`, without tag or digest. */
  readonly repository: string
  /** As the bundle names it. */
  readonly name: Reference
  /** Of the root in the bundle. */
  readonly digest: Digest
}

/** Finds an image of the bundle by any spelling of its reference: aliases, implied hosts and tags, digests. */
export interface PrivateImages {
  find(reference: Reference): PrivateImage | undefined
  /** The reference to pull instead, tag and digest kept as far as they are right there; undefined when not bundled. */
  rewrite(text: string): string | undefined
  /**
   * The repository instead of this one, for names to which a program adds the version; undefined for a text with a
   * version, and when the bundle has no image of the repository or keeps its images in several.
   */
  rewriteRepository(text: string): string | undefined
  /** Some image's name is this, or begins with it: `quay.io/`, `docker.io/team/runner-`. */
  holdsUnder(stem: string): boolean
}

/** Tags and digests of one repository are looked up apart, because a pinned reference may name either. */
export function createPrivateImages(roots: readonly RootContents[], layout: Layout): PrivateImages {
  const byTag = new Map<string, PrivateImage>()
  const byDigest = new Map<string, readonly PrivateImage[]>()
  const repositories = new Map<string, Set<string>>()
  for (const root of roots) {
    if (root.kind !== 'image') continue
    const name = parseReference(root.name)
    const repository = `${layout.registry}/${imageRepository(layout, name)}`
    const image = { repository, name, digest: root.digest }
    const at = canonicalName(name)
    if (name.tag !== undefined) byTag.set(`${at}:${name.tag}`, image)
    for (const digest of new Set([root.digest, root.original, name.digest])) {
      if (digest === undefined) continue
      byDigest.set(`${at}@${digest}`, [...(byDigest.get(`${at}@${digest}`) ?? []), image])
    }
    repositories.set(at, (repositories.get(at) ?? new Set()).add(repository))
  }
  const find = (reference: Reference): PrivateImage | undefined => {
    const at = canonicalName(reference)
    if (reference.digest === undefined) return byTag.get(`${at}:${reference.tag ?? 'latest'}`)
    const same = byDigest.get(`${at}@${reference.digest}`) ?? []
    return same.find(({ name }) => name.tag === reference.tag) ?? same[0]
  }
  return {
    find,
    rewrite(text) {
      const reference = tryParse(text)
      if (reference === undefined) return undefined
      const image = find(reference)
      if (image === undefined) return undefined
      // Beside a digest a tag is only a remark: one that is not there goes.
      const tag = reference.tag !== undefined && reference.tag === image.name.tag ? `:${reference.tag}` : ''
      const digest = reference.digest === undefined ? '' : `@${image.digest}`
      return `${image.repository}${tag}${digest}`
    },
    holdsUnder(stem) {
      const slash = stem.indexOf('/')
      const start = `${canonicalRegistry(stem.slice(0, slash))}${stem.slice(slash)}`
      return [...repositories.keys()].some((name) => `${name}/`.startsWith(start))
    },
    rewriteRepository(text) {
      const reference = tryParse(`${text}:latest`)
      if (reference === undefined || reference.digest !== undefined) return undefined
      const [only, ...more] = repositories.get(canonicalName(reference)) ?? []
      return more.length === 0 ? only : undefined
    },
  }
}

/**
 * The same, for a chart that names some images otherwise than the bundle does.
 * @param aliases by the canonical name that the chart uses
 */
export function withAliases(images: PrivateImages, aliases: ReadonlyMap<string, Reference>): PrivateImages {
  if (aliases.size === 0) return images
  const instead = (text: string): Reference | undefined => aliases.get(canonicalText(text))
  return {
    ...images,
    find: (reference) => images.find(instead(formatReference(reference)) ?? reference),
    rewrite(text) {
      const image = instead(text)
      return images.rewrite(image === undefined ? text : formatReference(image))
    },
  }
}

// --- internal ---

const canonicalName = ({ registry, repository }: Reference): string => {
  const host = canonicalRegistry(registry)
  return `${host}/${host === 'docker.io' && !repository.includes('/') ? `library/${repository}` : repository}`
}

function tryParse(text: string): Reference | undefined {
  try {
    return parseReference(text)
  } catch (error) {
    if (error instanceof Error && error.name === 'BundleError') return undefined
    throw error
  }
}
