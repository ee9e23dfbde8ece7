import type { Emit } from '../../lib/events.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { walk, type Graph } from '../../oci/graph.ts'
import { isListed } from './attach-referrer.ts'
import type { ReferrersTarget } from '../run/target.ts'
import type { ChartContents, ImageContents } from '../format/contents.ts'
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
}

export interface CheckedRoots {
  readonly checked: readonly Checked[]
  readonly failures: readonly Failure[]
}

/** A registry, as far as looking for roots goes. */
export interface RootRegistry {
  open(repository: string): ReferrersTarget & {
    head(reference: string): Promise<Descriptor | undefined>
  }
}

export interface CheckOptions {
  readonly layout: Layout
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
}

/** Looks for every image and chart of the bundle at its destination: one request each. */
export async function checkRoots(
  bundle: Bundle,
  target: RootRegistry,
  options: CheckOptions,
): Promise<CheckedRoots> {
  const roots = bundle.roots.filter((root) => root.kind !== 'file')
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
  { layout, signal }: CheckOptions,
): Promise<Checked> {
  signal.throwIfAborted()
  const { repository, tags } = destinationOf(root, layout)
  const found = await target.open(repository).head(tags.at(-1) ?? root.digest)
  const there = found?.digest === root.digest
  // A tag is the commit record of its root; what is known by digest only may still have to be listed under its subject.
  if (there && tags.length > 0) return { root, repository, tags }
  const graph = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
  const [top] = graph.nodes.slice(-1)
  const listed = there && top !== undefined && (await isListed(top, target.open(repository)))
  return listed ? { root, repository, tags } : { root, repository, tags, graph }
}
