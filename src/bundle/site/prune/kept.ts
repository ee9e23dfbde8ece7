import { isDigest, type Digest } from '../../../oci/digest.ts'
import { isTag, parseReference } from '../../../oci/reference.ts'
import { destinationOf, imageRepository, type Layout } from '../../format/destination.ts'
import type { RootContents } from '../../format/contents.ts'
import type { Lock } from '../../spec/lock-file.ts'
import { chartRepository, chartTags } from '../../format/destination.ts'

/** What has to stay, by repository. */
export interface Kept {
  /** Digests that may stand in any repository. */
  readonly digests: Set<Digest>
  readonly byRepository: Map<string, { readonly digests: Set<Digest>; readonly tags: Set<string> }>
}

export const nothingKept = (): Kept => ({ digests: new Set(), byRepository: new Map() })

/** Keeps all that a bundle imports: by its digest, and whatever its tags stand for now. */
export function keepRoots(kept: Kept, roots: readonly RootContents[], layout: Layout): void {
  for (const root of roots) {
    if (root.kind === 'file') continue
    const { repository, tags } = destinationOf(root, layout)
    keep(kept, repository, [root.digest], tags)
  }
}

/** The same from a lock: an image that was cut to some platforms is in the registry under the digest of what is left. */
export function keepLocked(kept: Kept, { images, charts }: Lock, layout: Layout): void {
  for (const { name, digest, bundled, platforms } of images) {
    const reference = parseReference(name)
    const tags = reference.tag === undefined ? [] : [reference.tag]
    keep(kept, imageRepository(layout, reference), [bundled ?? digest, ...Object.values(platforms)], tags)
  }
  for (const { name, version, digest } of charts)
    keep(kept, chartRepository(layout, name), [digest], chartTags(version))
}

/**
 * Keeps whatever the text of a cluster's objects names: each digest in it, in any repository, and each reference to the
 * registry. The text is not understood, so that nothing in an unknown kind of object is missed: what it names too much
 * only stays.
 */
export function keepInUse(kept: Kept, text: string, registry: string): { readonly references: number } {
  let references = 0
  for (const [digest] of text.matchAll(/sha256:[0-9a-f]{64}/g)) if (isDigest(digest)) kept.digests.add(digest)
  const host = registry.replaceAll(/[.\\+*?[^\]$(){}=!<>|:-]/g, String.raw`\$&`)
  const named = new RegExp(`${host}/([a-z0-9][a-z0-9._/-]*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?`, 'g')
  for (const [, repository = '', tag] of text.matchAll(named)) {
    references += 1
    keep(kept, repository, [], [tag !== undefined && isTag(tag) ? tag : 'latest'])
  }
  return { references }
}

// --- internal ---

function keep(kept: Kept, repository: string, digests: readonly Digest[], tags: readonly string[]): void {
  const known = kept.byRepository.get(repository) ?? { digests: new Set(), tags: new Set() }
  kept.byRepository.set(repository, known)
  for (const digest of digests) known.digests.add(digest)
  for (const tag of tags) known.tags.add(tag)
}
