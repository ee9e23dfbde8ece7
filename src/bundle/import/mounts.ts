import type { Digest } from '../../oci/digest.ts'
import { blobsIn, type Graph } from '../../oci/graph.ts'

/** A root on its way to a repository. */
export interface Arrival {
  readonly repository: string
  readonly graph?: Graph
}

/**
 * Who brings a shared blob into the registry. The first root that has it is its leader; the others wait for the
 * leader's manifest and mount the blob from there, because registries (ECR among them) mount only what a manifest
 * refers to: https://github.com/aws/containers-roadmap/issues/2860
 * A root waits only for roots before it in the list, so no two can wait for each other.
 */
export interface Homes {
  /** The repository to mount from, once it has the blob; undefined when the asker has to bring it. */
  homeOf(digest: Digest, asker: Arrival): Promise<string | undefined>
  /** A root is there, or failed. */
  settle(root: Arrival, done: boolean): void
}

/** Smaller blobs are uploaded sooner than waited for. */
const WORTH_WAITING = 64 * 1024

export function createHomes(roots: readonly Arrival[]): Homes {
  const leaders = new Map<Digest, Arrival>()
  const waits = new Map<Arrival, PromiseWithResolvers<boolean>>()
  for (const root of roots) {
    if (root.graph === undefined) continue
    waits.set(root, Promise.withResolvers<boolean>())
    for (const blob of blobsIn(root.graph)) {
      if (blob.size >= WORTH_WAITING && !leaders.has(blob.digest)) leaders.set(blob.digest, root)
    }
  }
  return {
    async homeOf(digest, asker) {
      const leader = leaders.get(digest)
      if (leader === undefined || leader.repository === asker.repository) return undefined
      return (await waits.get(leader)?.promise) === true ? leader.repository : undefined
    },
    settle: (root, done) => {
      waits.get(root)?.resolve(done)
    },
  }
}
