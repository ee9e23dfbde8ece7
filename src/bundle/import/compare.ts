import type { Emit } from '../../lib/events.ts'
import type { Digest } from '../../oci/digest.ts'
import { walk, type Graph } from '../../oci/graph.ts'
import { isListed } from './attach-referrer.ts'
import { holesBelow } from './holes.ts'
import type { ImportRepository } from '../run/target.ts'
import type { ChartContents, ImageContents } from '../format/contents.ts'
import { refuseBadDestinations } from '../format/destinations/check.ts'
import { destinationOf, type Layout } from '../format/destination.ts'
import type { BundleEvent } from '../run/events.ts'
import { settleAll, type Failure } from '../run/failures.ts'
import { rootManifest, type Bundle } from '../format/open.ts'

/** A root, and what its destination says of it. */
export interface Checked {
  readonly root: ImageContents | ChartContents
  readonly repository: string
  readonly tags: readonly string[]
  /** What has to be pushed; undefined when it is there. */
  readonly graph?: Graph
  /** Blobs that the registry holds with other bytes than their digest says. */
  readonly wrong?: ReadonlySet<Digest>
}

/**
 * How far to look below a root whose tag is right: not at all, which costs one request and is enough where nobody
 * deletes; `missing`: for each manifest and blob; `wrong`: read them too.
 */
export type Repair = 'none' | 'missing' | 'wrong'

export interface CheckedRoots {
  readonly checked: readonly Checked[]
  readonly failures: readonly Failure[]
}

/** A registry, as far as looking for roots goes. */
export interface RootRegistry {
  open(repository: string): ImportRepository
}

export interface CompareOptions {
  readonly layout: Layout
  readonly repair?: Repair
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
}

/** Looks for every image and chart of the bundle at its destination: one request each, more when it is to be repaired. */
export async function checkRoots(
  bundle: Bundle,
  target: RootRegistry,
  options: CompareOptions,
): Promise<CheckedRoots> {
  const roots = bundle.roots.filter((root) => root.kind !== 'file')
  refuseBadDestinations(roots, options.layout)
  options.emit({ type: 'phase', phase: 'resolve', items: roots.length, bytes: 0 })
  const { values: checked, failures } = await settleAll(
    roots,
    (root) => check(root, bundle, target, options),
    ({ kind, name }) => ({ kind, name }),
  )
  return { checked, failures }
}

// --- internal ---

/** One request: does the last tag stand for our digest? */
async function check(
  root: ImageContents | ChartContents,
  bundle: Bundle,
  target: RootRegistry,
  options: CompareOptions,
): Promise<Checked> {
  const { layout, signal, repair = 'none' } = options
  signal.throwIfAborted()
  const { repository, tags } = destinationOf(root, layout)
  const to = target.open(repository)
  const found = await to.head(tags.at(-1) ?? root.digest)
  const there = found?.digest === root.digest
  // A tag is the commit record of its root; what is known by digest only may still have to be listed under its subject.
  if (there && tags.length > 0 && repair === 'none') return { root, repository, tags }
  const graph = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
  if (!there) return { root, repository, tags, graph }
  const holes =
    repair === 'none'
      ? []
      : await holesBelow(graph, to, { ...options, deep: repair === 'wrong', name: root.name })
  const [top] = graph.nodes.slice(-1)
  if (holes.length === 0 && top !== undefined && (await isListed(top, to))) return { root, repository, tags }
  const wrong = new Set(holes.filter(({ fault }) => fault === 'wrong').map(({ digest }) => digest))
  return { root, repository, tags, graph, wrong }
}
