import { createPool } from '../../lib/pool.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Graph } from '../../oci/graph.ts'
import { refuseBadDestinations } from '../format/destinations/check.ts'
import { destinationOf, type Layout } from '../format/destination.ts'
import { FailuresError, settleAll } from '../run/failures.ts'
import type { BundleImportOptions } from './import.ts'
import type { ImportRepository, ImportTarget } from '../run/target.ts'
import { digestOfRoot, type Root } from '../format/root.ts'

/** What an import would find at its destination, and what it would have to bring. */
export interface AtDestination {
  readonly roots: readonly RootAtDestination[]
  /** Blobs that have to be uploaded, each counted in every repository that lacks it. */
  readonly upload: { readonly count: number; readonly bytes: number }
}

export interface RootAtDestination {
  readonly kind: 'image' | 'chart'
  readonly name: string
  readonly repository: string
  /** `there`: its tag stands for its digest. `moves`: its tag stands for something else now. `missing`: no such tag. */
  readonly state: 'there' | 'moves' | 'missing'
}

/**
 * Asks the destination what of these roots it has: by HEAD, a request for each root, and for each manifest and blob of
 * those that are not there. Nothing is changed.
 * @throws FailuresError when the destination does not say
 */
export async function lookAtDestination(
  roots: readonly Root[],
  target: ImportTarget,
  { layout, emit, signal, concurrency }: BundleImportOptions,
): Promise<AtDestination> {
  const arriving = roots.filter((root): root is Arriving => root.kind !== 'file')
  refuseBadDestinations(
    arriving.map((root) => ({ ...root, digest: digestOfRoot(root) })),
    layout,
  )
  emit({ type: 'phase', phase: 'resolve', items: arriving.length, bytes: 0 })
  const pool = createPool(concurrency)
  const lacking = new Map<string, number>()
  const look = async (root: Arriving): Promise<RootAtDestination> => {
    signal.throwIfAborted()
    const state = await stateOf(root, target, layout)
    if (state.state !== 'there') {
      for (const [digest, size] of await lackingBelow(root.graph, target.open(state.repository), signal))
        lacking.set(`${state.repository} ${digest}`, size)
    }
    emit({ type: 'root', phase: 'resolve', kind: root.kind, name: root.name, outcome: 'resolved' })
    return state
  }
  const { values, failures } = await settleAll(
    arriving,
    (root) => pool.run(() => look(root)),
    ({ kind, name }) => ({ kind, name }),
  )
  signal.throwIfAborted()
  if (failures.length > 0)
    throw new FailuresError(
      `${layout.registry} did not say whether it has ${failures.length} of ${arriving.length} images and charts`,
      failures,
      'fix what is listed; without --registry, only the sources are queried',
    )
  const bytes = [...lacking.values()].reduce((sum, size) => sum + size, 0)
  return { roots: values, upload: { count: lacking.size, bytes } }
}

// --- internal ---

type Arriving = Exclude<Root, { readonly kind: 'file' }>

async function stateOf(root: Arriving, target: ImportTarget, layout: Layout): Promise<RootAtDestination> {
  const { repository, tags } = destinationOf(root, layout)
  const digest = digestOfRoot(root)
  const found = await target.open(repository).head(tags.at(-1) ?? digest)
  const state = found === undefined ? 'missing' : found.digest === digest ? 'there' : 'moves'
  return { kind: root.kind, name: root.name, repository, state }
}

/** A registry that has a manifest has all that it names, so only what lies below new manifests is asked for. */
async function lackingBelow(
  { nodes }: Graph,
  repository: ImportRepository,
  signal: AbortSignal,
): Promise<ReadonlyMap<Digest, number>> {
  const found = new Map<Digest, number>()
  for (const { descriptor, blobs } of nodes) {
    signal.throwIfAborted()
    if (blobs.length === 0 || (await repository.exists(descriptor))) continue
    for (const blob of blobs) {
      if (!found.has(blob.digest) && !(await repository.exists(blob))) found.set(blob.digest, blob.size)
    }
  }
  return found
}
