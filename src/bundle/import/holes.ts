import { BundleError } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import { createPool } from '../../lib/pool.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { blobsIn, type Graph } from '../../oci/graph.ts'
import { isManifest } from '../../oci/media-types.ts'
import { verified } from '../../oci/verify.ts'
import { isGone } from '../../registry/error.ts'
import type { BundleEvent } from '../run/events.ts'
import type { ImportRepository } from '../run/target.ts'

/** Something below a root that the registry lost, or holds with other bytes than its digest says. */
export interface Hole {
  readonly digest: Digest
  readonly fault: 'missing' | 'wrong'
}

export interface HoleOptions {
  /** Read every byte; else only existence and size are asked for. */
  readonly deep: boolean
  readonly signal: AbortSignal
  readonly emit: Emit<BundleEvent>
  /** As a person knows the root. */
  readonly name: string
}

/** Looks for each manifest and blob below a root; a request each. When `deep`, each is read, and the root too. */
export async function holesBelow(
  graph: Graph,
  repository: ImportRepository,
  options: HoleOptions,
): Promise<readonly Hole[]> {
  const manifests = options.deep ? graph.nodes : graph.nodes.slice(0, -1)
  const below = [...manifests.map(({ descriptor }) => descriptor), ...blobsIn(graph)]
  const pool = createPool(AT_ONCE)
  const found = await Promise.all(
    below.map((one) =>
      pool.run(async (): Promise<readonly Hole[]> => {
        options.signal.throwIfAborted()
        const fault = await faultOf(one, repository, options)
        return fault === undefined ? [] : [{ digest: one.digest, fault }]
      }),
    ),
  )
  return found.flat()
}

// --- internal ---

/** Requests of one root at the same time; roots are checked side by side too. */
const AT_ONCE = 4

async function faultOf(
  one: Descriptor,
  repository: ImportRepository,
  options: HoleOptions,
): Promise<Hole['fault'] | undefined> {
  if (!options.deep) return (await repository.exists(one)) ? undefined : 'missing'
  try {
    if (isManifest(one.mediaType)) await repository.resolve(one.digest)
    else await readBlob(one, repository, options)
    return undefined
  } catch (error) {
    if (isGone(error)) return 'missing'
    if (error instanceof BundleError && error.kind === 'integrity') return 'wrong'
    throw error
  }
}

async function readBlob(
  { digest: id, size, ...blob }: Descriptor,
  repository: ImportRepository,
  { emit, name }: HoleOptions,
): Promise<void> {
  const descriptor = { ...blob, digest: id, size }
  emit({ type: 'transfer', id, name, size })
  let done = 0
  let outcome: 'exists' | 'failed' = 'failed'
  try {
    for await (const chunk of verified(
      await repository.fetch(descriptor),
      descriptor,
      `registry, for ${name}`,
    )) {
      done += chunk.length
      emit({ type: 'progress', id, done })
    }
    outcome = 'exists'
  } finally {
    emit({ type: 'transferred', id, outcome, size })
  }
}
