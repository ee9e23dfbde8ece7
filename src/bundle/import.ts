import { placeIn } from '../archive/reader.ts'
import type { Bytes } from '../lib/bytes.ts'
import type { Emit } from '../lib/events.ts'
import { createOnce, type Once } from '../lib/once.ts'
import { createPool, createTransferPool } from '../lib/pool.ts'
import { BundleError } from '../lib/errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { blobsIn, walk, type Graph } from '../oci/graph.ts'
import { parseReference } from '../oci/reference.ts'
import type { ChartContents, ImageContents, RootContents } from './contents.ts'
import { chartRepository, chartTags, imageRepository, type Layout } from './destination.ts'
import type { BundleEvent } from './events.ts'
import { FailuresError, settleAll } from './failures.ts'
import { locateAbsent } from './absent.ts'
import { attachReferrer, isListed, type ReferrersTarget } from './attach-referrer.ts'
import { createHomes, type Homes } from './homes.ts'
import { rootManifest, type Bundle } from './open.ts'
import { blobPath } from './plan.ts'
import { pushGraph, type PushTarget } from './push.ts'

/** A registry that can be imported into. */
export interface ImportTarget {
  open(repository: string): ImportRepository
  /** All tags of a repository. */
  tags(repository: string): AsyncIterable<string>
  /** Makes sure that the repository is there; `created` when it was not. */
  ensure(repository: string): Promise<'created' | 'existed'>
  /** Whether a blob of one repository can be mounted into another. Asked only when something has to be pushed. */
  mounting(): Promise<boolean>
}

export interface ImportRepository extends PushTarget, ReferrersTarget {
  exists(target: Descriptor): Promise<boolean>
  /** Content of a blob that is there, for a repository that cannot mount it. */
  fetch(target: Descriptor, start?: number): Promise<Bytes>
  /** What a tag or digest stands for; undefined when it, or the repository, is not there. */
  head(reference: string): Promise<Descriptor | undefined>
}

export interface ImportOptions {
  readonly layout: Layout
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Blobs at a time. */
  readonly concurrency: number
}

/** One root where it landed. */
export interface ImportedRoot {
  readonly root: ImageContents | ChartContents
  readonly repository: string
  /** The tags it has there; empty when it is known by digest only. */
  readonly tags: readonly string[]
  readonly outcome: 'pushed' | 'unchanged'
}

/**
 * Pushes every image and chart of the bundle. A root whose tag already stands for its digest costs one request;
 * one that fails does not stop the others.
 * @throws FailuresError when any root failed, after all were tried
 */
export async function importRoots(
  bundle: Bundle,
  target: ImportTarget,
  options: ImportOptions,
): Promise<readonly ImportedRoot[]> {
  const roots = bundle.roots.filter((root): root is ImageContents | ChartContents => root.kind !== 'file')
  const destinations = new Map(roots.map((root) => [root, destinationOf(root, options.layout)]))
  options.emit({ type: 'phase', phase: 'resolve', items: roots.length, bytes: 0 })

  const state = await settleAll(roots, (root) => check(root, bundle, target, destinations, options), describe)
  const missing = state.values.filter((one) => one.graph !== undefined)
  const bytes = missing.reduce((sum, one) => sum + (one.graph === undefined ? 0 : weight(one.graph)), 0)
  const elsewhere = await locateAbsent(bundle, missing, [...destinations.values()], target, options)
  const blobCount = missing.reduce(
    (sum, one) => sum + (one.graph === undefined ? 0 : blobsIn(one.graph).length),
    0,
  )
  options.emit({ type: 'phase', phase: 'transfer', items: blobCount, bytes })

  const mayMount = (missing.length > 1 || elsewhere.size > 0) && (await target.mounting())
  const homes = createHomes(missing.length > 1 && mayMount ? missing : [])
  const source = elsewhere.size === 0 ? bundle.source : elsewhere.source(bundle.source, target)
  const pool = createTransferPool(options.concurrency)
  /** One at a time: each reads the list of referrers before it writes it. */
  const attaching = createPool(1)
  const ensured = createOnce<'created' | 'existed'>()
  const blobs = new Map<string, Once<void>>()
  const pushed = await settleAll(
    state.values,
    (one) => (one.graph === undefined ? settled(one) : push(one, one.graph, homes)),
    ({ root }) => describe(root),
  )
  options.signal.throwIfAborted()
  const failures = [...state.failures, ...pushed.failures]
  if (failures.length > 0) {
    for (const { kind, name } of failures)
      options.emit({ type: 'root', phase: 'finish', kind, name, outcome: 'failed' })
    throw new FailuresError(
      `${failures.length} of ${roots.length} images and charts were not imported, the other ${roots.length - failures.length} are`,
      failures,
      'mend what is listed and run the same command again: what is there already costs one request each',
    )
  }
  return pushed.values

  function settled(one: Checked): Promise<ImportedRoot> {
    report(one.root, 'unchanged')
    return Promise.resolve({ ...one, outcome: 'unchanged' })
  }

  async function push(one: Checked, graph: Graph, places: Homes): Promise<ImportedRoot> {
    const { root, repository, tags } = one
    try {
      const fresh = (await ensured(repository, () => target.ensure(repository))) === 'created'
      const to = target.open(repository)
      const home = async (digest: Digest) =>
        bundle.archive.entries.has(blobPath(digest)) || !mayMount
          ? places.homeOf(digest, one)
          : elsewhere.homeOf(digest, repository)
      const once = blobs.get(repository) ?? createOnce<void>()
      blobs.set(repository, once)
      await pushGraph(graph, source, to, tags, {
        ...options,
        pool,
        once,
        name: root.name,
        fresh,
        known: (digest) => elsewhere.isIn(digest, repository),
        home,
        where: (digest) =>
          bundle.archive.parts === undefined ? undefined : placeIn(bundle.archive, blobPath(digest)),
      })
      await readBack(root, to, tags, graph.root)
      const [top] = graph.nodes.slice(-1)
      if (top?.manifest.subject !== undefined) await attaching.run(() => attachReferrer(top, to))
      places.settle(one, true)
      report(root, 'pushed')
      return { root, repository, tags, outcome: 'pushed' }
    } catch (error) {
      places.settle(one, false)
      throw error
    }
  }

  function report(root: RootContents, outcome: 'pushed' | 'unchanged'): void {
    options.emit({
      type: 'root',
      phase: 'finish',
      kind: root.kind,
      name: root.name,
      outcome,
      digest: root.digest,
    })
  }
}

/** Where a root lands, and under which tags (the commit record last). */
export function destinationOf(
  root: Pick<ImageContents, 'kind' | 'name'> | Pick<ChartContents, 'kind' | 'chart' | 'version'>,
  layout: Layout,
): { readonly repository: string; readonly tags: readonly string[] } {
  if (root.kind === 'chart') {
    return { repository: chartRepository(layout, root.chart), tags: chartTags(root.version) }
  }
  const reference = parseReference(root.name)
  return {
    repository: imageRepository(layout, reference),
    tags: reference.tag === undefined ? [] : [reference.tag],
  }
}

// --- internal ---

interface Checked {
  readonly root: ImageContents | ChartContents
  readonly repository: string
  readonly tags: readonly string[]
  /** What has to be pushed; undefined when it is there. */
  readonly graph?: Graph
}

const describe = ({ kind, name }: RootContents) => ({ kind, name })

const weight = (graph: Graph): number => blobsIn(graph).reduce((sum, blob) => sum + blob.size, 0)

/** One request: does the last tag stand for our digest? */
async function check(
  root: ImageContents | ChartContents,
  bundle: Bundle,
  target: ImportTarget,
  destinations: ReadonlyMap<RootContents, { repository: string; tags: readonly string[] }>,
  { signal }: ImportOptions,
): Promise<Checked> {
  signal.throwIfAborted()
  const { repository, tags } = destinations.get(root) ?? { repository: '', tags: [] }
  const found = await target.open(repository).head(tags.at(-1) ?? root.digest)
  const there = found?.digest === root.digest
  // A tag is the commit record of its root; what is known by digest only may still have to be listed under its subject.
  if (there && tags.length > 0) return { root, repository, tags }
  const graph = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
  const [top] = graph.nodes.slice(-1)
  const listed = there && top !== undefined && (await isListed(top, target.open(repository)))
  return listed ? { root, repository, tags } : { root, repository, tags, graph }
}

/**
 * The registry's answer to a PUT is not proof: https://github.com/aws/containers-roadmap/issues/2627. A tag that it
 * lost is put once more; one that stands for something else is somebody's, and left.
 */
async function readBack(
  root: RootContents,
  target: ImportRepository,
  tags: readonly string[],
  top: Graph['root'],
): Promise<void> {
  const reference = tags.at(-1) ?? root.digest
  let found = await target.head(reference)
  if (found === undefined) {
    await target.pushManifest(top, reference)
    found = await target.head(reference)
  }
  if (found?.digest === root.digest) return
  throw new BundleError(
    `after the push, ${reference} stands for ${found?.digest ?? 'nothing'} instead of ${root.digest}`,
    {
      kind: 'integrity',
      where: `destination of ${root.name}`,
      next: 'see whether somebody else pushes to this tag, and run again',
    },
  )
}
