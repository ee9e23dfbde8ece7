import { usageError } from '../../../lib/errors.ts'
import { aliasesOf, canonicalRegistry } from '../../../oci/alias.ts'
import { parseReference } from '../../../oci/reference.ts'
import type { ImageContents } from '../../format/contents.ts'
import { imageRepository, type Layout } from '../../format/destination.ts'
import { bottlerocket } from './bottlerocket.ts'
import { containerd } from './containerd.ts'
import type { NodeFile, Upstream } from './input.ts'
import { k3s } from './k3s.ts'
import { kyverno } from './kyverno.ts'

/** Configuration outside the charts that sends pulls of public names to the private registry. */
export const NODE_FORMATS = ['containerd', 'k3s', 'bottlerocket', 'kyverno'] as const
export type NodeFormat = (typeof NODE_FORMATS)[number]

/**
 * The files of one format, for these images and no others where the format can tell them apart.
 * @param names registries by other names that pods use, such as `mirror.gcr.io`
 */
export function nodeConfig(
  format: NodeFormat,
  images: readonly ImageContents[],
  layout: Layout,
  names: readonly string[] = [],
): readonly NodeFile[] {
  const scheme = /^(?:localhost|127\.|\[::1\])/.test(layout.registry) ? 'http' : 'https'
  const registry = { host: layout.registry, url: `${scheme}://${layout.registry}` }
  const input = {
    images,
    layout,
    upstreams: format === 'kyverno' ? [] : upstreamsOf(images, layout, names),
    registry,
  }
  return { containerd, k3s, bottlerocket, kyverno }[format](input)
}

// --- internal ---

function upstreamsOf(
  images: readonly ImageContents[],
  layout: Layout,
  names: readonly string[],
): readonly Upstream[] {
  const found = new Map<string, Map<string, Set<string>>>()
  for (const { name } of images) {
    const reference = parseReference(name)
    const registry = canonicalRegistry(reference.registry)
    const { repository } = reference
    const path = pathBefore(imageRepository(layout, reference), repository, name)
    const paths = found.get(registry) ?? new Map<string, Set<string>>()
    paths.set(path, (paths.get(path) ?? new Set()).add(repository))
    found.set(registry, paths)
  }
  const used = new Set(names)
  return [...found]
    .flatMap(([registry, paths]): Upstream[] => {
      const sorted = new Map(
        [...paths]
          .toSorted((a, b) => b[1].size - a[1].size || compare(a[0], b[0]))
          .map(([path, repositories]) => [path, [...repositories].toSorted()] as const),
      )
      return aliasesOf(registry)
        .filter((alias) => alias === registry || used.has(alias))
        .map((alias) => ({ registry: alias, paths: sorted }))
    })
    .toSorted((a, b) => compare(a.registry, b.registry))
}

/** A mirror keeps the path of an image, and can only put another before it. */
function pathBefore(there: string, repository: string, name: string): string {
  if (there === repository) return ''
  if (there.endsWith(`/${repository}`)) return there.slice(0, -(repository.length + 1))
  throw usageError(`${name} is called ${there} there, and a mirror of a node cannot change names so`, {
    next: 'use --format kyverno, or names that end as at the source: --map quay.io/=team/, --repository {host}/{path}',
  })
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
