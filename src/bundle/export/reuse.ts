import type { Bytes } from '../../lib/bytes/bytes.ts'
import type { Source } from '../../oci/content.ts'
import { BundleError } from '../../lib/errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Bundle } from '../format/open.ts'
import { blobPath, type Plan } from '../format/plan.ts'
import type { KnownManifests } from '../resolve/image.ts'
import { filePath } from '../format/root.ts'

/** A plan that takes from an earlier bundle what that has. */
export interface Reuse {
  readonly plan: Plan
  /** Bytes that the earlier bundle can give, of all that the plan has to fetch. */
  readonly size: number
  /** Bytes it has given by now. */
  readonly given: () => number
}

/** The manifests of an earlier bundle, verified; one that is damaged there has to be asked for again. */
export const manifestsIn =
  ({ archive, source }: Bundle): KnownManifests =>
  async (digest) => {
    if (!archive.entries.has(blobPath(digest))) return undefined
    try {
      const found = await source.resolve(digest)
      // Only the index above it says what a manifest without a type of its own is.
      return found.descriptor.mediaType === '' ? undefined : found
    } catch (error) {
      if (error instanceof BundleError && error.kind === 'integrity') return undefined
      throw error
    }
  }

/**
 * Puts an earlier bundle before the sources of everything it has. What is read from it is verified like anything else;
 * when it is damaged there, the source serves after all.
 */
export function reuseFrom(plan: Plan, { archive, roots }: Bundle): Reuse {
  const files = new Map<Digest, string>(
    roots.flatMap((root) => (root.kind === 'file' ? [[root.digest, filePath(root.name)] as const] : [])),
  )
  let size = 0
  let given = 0
  const read = async function* (path: string, wanted: number, start?: number): Bytes {
    yield* archive.read(path, start)
    given += wanted
  }
  const transfers = plan.transfers.map((transfer) => {
    const { digest, size: wanted } = transfer.descriptor
    const path = [blobPath(digest), files.get(digest)].find(
      (one) => one !== undefined && archive.entries.get(one)?.size === wanted,
    )
    if (path === undefined) return transfer
    size += wanted
    const source: Source = {
      resolve: () => Promise.reject(new Error('manifests are not fetched from it')),
      fetch: (_, start) => Promise.resolve(read(path, wanted, start)),
    }
    return { ...transfer, sources: [source, ...transfer.sources] }
  })
  return { plan: { ...plan, transfers }, size, given: () => given }
}
