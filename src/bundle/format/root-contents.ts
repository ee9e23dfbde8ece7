import type { RootContents } from './contents.ts'
import { platformsOf } from '../resolve/image.ts'
import type { Root } from './root.ts'

/** What `bundle.json` says of a root. */
export function contentsOf(root: Root): RootContents {
  const { kind, name } = root
  if (kind === 'file') return { kind, name, digest: root.descriptor.digest, size: root.descriptor.size }
  const { digest, size, mediaType } = root.graph.root.descriptor
  const common = { name, digest, size, mediaType }
  if (kind === 'chart')
    return { kind, ...common, chart: root.chart, version: root.version, repository: root.repository }
  const original = root.original === undefined ? {} : { original: root.original.digest }
  return { kind, ...common, platforms: platformsOf(root), ...original }
}
