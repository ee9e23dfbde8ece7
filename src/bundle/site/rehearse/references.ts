import { parseReference, type Reference } from '../../../oci/reference.ts'
import type { RootContents } from '../../format/contents.ts'
import { imageRepository, type Layout } from '../../format/destination.ts'

/**
 * What pods pull when everything in a bundle is used: every image by its private name, by tag where it has one. An image
 * that was cut to some platforms has another digest there than at its source.
 */
export const bundleReferences = (roots: readonly RootContents[], layout: Layout): readonly Reference[] =>
  roots.flatMap((root): Reference[] => {
    if (root.kind !== 'image') return []
    const name = parseReference(root.name)
    const repository = imageRepository(layout, name)
    const version = name.tag === undefined ? { digest: root.digest } : { tag: name.tag }
    return [{ registry: layout.registry, repository, ...version }]
  })
