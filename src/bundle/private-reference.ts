import { canonicalRegistry } from '../oci/alias.ts'
import type { Digest } from '../oci/digest.ts'
import { formatReference, parseReference, type Reference } from '../oci/reference.ts'
import type { RootContents } from './contents.ts'
import { imageRepository, type Layout } from './destination.ts'

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
}

/** Tags and digests of one repository are looked up apart, because a pinned reference may name either. */
export function createPrivateImages(roots: readonly RootContents[], layout: Layout): PrivateImages {
  const byTag = new Map<string, PrivateImage>()
  const byDigest = new Map<string, PrivateImage>()
  for (const root of roots) {
    if (root.kind !== 'image') continue
    const name = parseReference(root.name)
    const image = {
      repository: `${layout.registry}/${imageRepository(layout, name)}`,
      name,
      digest: root.digest,
    }
    const at = canonicalName(name)
    if (name.tag !== undefined) byTag.set(`${at}:${name.tag}`, image)
    for (const digest of [root.digest, root.original, name.digest]) {
      if (digest !== undefined) byDigest.set(`${at}@${digest}`, image)
    }
  }
  const find = (reference: Reference): PrivateImage | undefined => {
    const at = canonicalName(reference)
    if (reference.digest !== undefined) return byDigest.get(`${at}@${reference.digest}`)
    return byTag.get(`${at}:${reference.tag ?? 'latest'}`)
  }
  return {
    find,
    rewrite(text) {
      const reference = tryParse(text)
      if (reference === undefined) return undefined
      const image = find(reference)
      if (image === undefined) return undefined
      // A text without a tag means latest, and that is how it was found.
      const tag = reference.tag !== undefined && reference.tag === image.name.tag ? `:${reference.tag}` : ''
      const digest = reference.digest === undefined ? '' : `@${image.digest}`
      return `${image.repository}${tag}${digest}`
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

/** For messages: the reference as a person would write it. */
export const nameOfImage = ({ name }: PrivateImage): string => formatReference(name)
