import { blobsIn } from '../../oci/graph.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Root } from '../format/root.ts'

/** What one root weighs, alone and after sharing. */
export interface RootWeight {
  readonly name: string
  readonly kind: Root['kind']
  readonly digest: Digest
  /** All its blobs, bytes. */
  readonly size: number
  /** Bytes no other root has. */
  readonly own: number
  /** The mirror that served it, when it was not the origin. */
  readonly from?: string
  /** Digest of the whole index, when platforms were left out. */
  readonly original?: Digest
}

/** Sizes of roots with what they share counted. */
export function weigh(roots: readonly Root[]): readonly RootWeight[] {
  const users = new Map<Digest, number>()
  const blobs = (root: Root) => (root.kind === 'file' ? [root.descriptor] : blobsIn(root.graph))
  for (const root of roots)
    for (const { digest } of blobs(root)) users.set(digest, (users.get(digest) ?? 0) + 1)
  return roots.map((root) => {
    const all = blobs(root)
    const sum = (list: typeof all) => list.reduce((total, { size }) => total + size, 0)
    return {
      name: root.name,
      kind: root.kind,
      digest: root.kind === 'file' ? root.descriptor.digest : root.graph.root.descriptor.digest,
      size: sum(all),
      own: sum(all.filter(({ digest }) => users.get(digest) === 1)),
      ...('from' in root ? { from: root.from } : {}),
      ...(root.kind === 'image' && root.original !== undefined ? { original: root.original.digest } : {}),
    }
  })
}
