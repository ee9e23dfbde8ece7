import { parseReference } from '../../../oci/reference.ts'
import { formatReference, type Reference } from '../../../oci/reference.ts'
import type { Digest } from '../../../oci/digest.ts'
import { pathText } from '../../../helm/values/tree.ts'
import { createPrivateImages, type PrivateImages } from '../../charts/private-images.ts'
import type { BoundChart } from '../../format/charts/bound-chart.ts'
import { imageRepository, type Layout } from '../../format/destination.ts'
import type { RootContents } from '../../format/contents.ts'

/** What a bundle knows that a check of a cluster needs. */
export interface KnownBundle {
  /** Finds an image of the bundle by its public name. */
  readonly images: PrivateImages
  /** The digest that the bundle has for a private `repository:tag`. */
  readonly digestAt: (repository: string, tag: string) => Digest | undefined
  /** The value that turns a public reference into the private one, for people. */
  readonly valueFor: (reference: Reference) => { readonly chart: string; readonly path: string } | undefined
}

export function knownBundle(
  roots: readonly RootContents[],
  bound: readonly BoundChart[],
  layout: Layout,
): KnownBundle {
  const digests = new Map<string, Digest>()
  for (const root of roots) {
    if (root.kind !== 'image') continue
    const name = parseReference(root.name)
    if (name.tag !== undefined) digests.set(`${imageRepository(layout, name)}:${name.tag}`, root.digest)
  }
  const values = new Map<string, { readonly chart: string; readonly path: string }>()
  for (const { chart, bindings } of bound) {
    for (const { path, reference, references } of bindings) {
      for (const one of [reference, ...references]) values.set(one, { chart, path: pathText(path) })
    }
  }
  return {
    images: createPrivateImages(roots, layout),
    digestAt: (repository, tag) => digests.get(`${repository}:${tag}`),
    valueFor: (reference) => values.get(formatReference(reference)),
  }
}
