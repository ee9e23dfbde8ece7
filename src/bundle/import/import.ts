// Brings a bundle into a registry: compares, pushes, reads back, writes what a cluster needs.
import { placeIn } from '../../archive/reader.ts'
import type { Emit } from '../../lib/events.ts'
import { createOnce, type Once } from '../../lib/once.ts'
import { createPool, createTransferPool } from '../../lib/pool.ts'
import { BundleError } from '../../lib/errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { blobsIn, type Graph } from '../../oci/graph.ts'
import type { ChartContents, ImageContents, RootContents } from '../format/contents.ts'
import { checkRoots, type Checked, type Repair } from './compare.ts'
import type { Layout } from '../format/destination.ts'
import type { BundleEvent } from '../run/events.ts'
import { FailuresError, settleAll, type Failure } from '../run/failures.ts'
import { locateAbsent } from './left-out.ts'
import { attachReferrer } from './attach-referrer.ts'
import { createHomes, type Homes } from './mounts.ts'
import type { Bundle } from '../format/open.ts'
import { blobPath } from '../format/plan.ts'
import { pushGraph } from './push.ts'
import type { ImportTarget, ImportRepository } from '../run/target.ts'
import { isGone } from '../../registry/error.ts'

export interface BundleImportOptions {
  readonly layout: Layout
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Blobs at a time. */
  readonly concurrency: number
  /** Look below roots whose tag is right, and push what is gone or wrong there. */
  readonly repair?: Repair
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
  options: BundleImportOptions,
): Promise<readonly ImportedRoot[]> {
  const { checked, failures } = await checkRoots(bundle, target, options)
  await target.settle(repositoriesOf(checked))
  const missing = checked.flatMap(({ graph }) => (graph === undefined ? [] : [blobsIn(graph)])).flat()
  const start = (): void =>
    options.emit({ type: 'phase', phase: 'transfer', items: missing.length, bytes: bytesOf(missing) })
  const placed = await placeRoots(bundle, checked, target, { ...options, start })
  return allOf(placed.imported, [...failures, ...placed.failures], options)
}

export interface PlaceOptions extends BundleImportOptions {
  /** Called when it is known that all can begin. */
  readonly start: () => void
  /** Blobs that are in the registry already, and in which repository: that of the first root which needs them. */
  readonly brought?: ReadonlyMap<Digest, string>
}

export interface PushResult {
  readonly imported: readonly ImportedRoot[]
  readonly failures: readonly Failure[]
}

/** Pushes what was found missing. */
export async function placeRoots(
  bundle: Bundle,
  checked: readonly Checked[],
  target: ImportTarget,
  options: PlaceOptions,
): Promise<PushResult> {
  const { brought = new Map<Digest, string>() } = options
  const missing = checked.filter((one) => one.graph !== undefined)
  const elsewhere = await locateAbsent(bundle, missing, checked, target, options)
  options.start()

  const mayMount = (missing.length > 1 || elsewhere.size > 0) && (await target.mounting())
  const homes = createHomes(missing.length > 1 && mayMount ? missing : [])
  const source = elsewhere.size === 0 ? bundle.source : elsewhere.source(bundle.source, target)
  const pool = createTransferPool(options.concurrency)
  /** One at a time: each reads the list of referrers before it writes it. */
  const attaching = createPool(1)
  const ensured = createOnce<'created' | 'existed'>()
  const blobs = new Map<string, Once<void>>()
  const { values, failures } = await settleAll(
    checked,
    (one) => (one.graph === undefined ? settled(one) : push(one, one.graph, homes)),
    ({ root: { kind, name } }) => ({ kind, name }),
  )
  options.signal.throwIfAborted()
  return { imported: values, failures }

  function settled(one: Checked): Promise<ImportedRoot> {
    report(one.root, 'unchanged')
    return Promise.resolve({ ...one, outcome: 'unchanged' })
  }

  async function push(one: Checked, graph: Graph, places: Homes): Promise<ImportedRoot> {
    const { root, repository, tags } = one
    try {
      const fresh = (await ensured(repository, () => target.ensure(repository))) === 'created'
      const to = target.open(repository)
      const home = async (digest: Digest): Promise<string | undefined> => {
        const isAbsent = mayMount && !bundle.archive.entries.has(blobPath(digest))
        const place = isAbsent && !brought.has(digest) ? undefined : await places.homeOf(digest, one)
        return place ?? (isAbsent ? elsewhere.homeOf(digest, repository) : undefined)
      }
      const once = blobs.get(repository) ?? createOnce<void>()
      blobs.set(repository, once)
      await pushGraph(graph, source, to, tags, {
        ...options,
        pool,
        once,
        name: root.name,
        fresh,
        ...(one.wrong === undefined ? {} : { wrong: one.wrong }),
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

/** Where these roots are to be, each once. */
export const repositoriesOf = (checked: readonly Checked[]): readonly string[] => [
  ...new Set(checked.map(({ repository }) => repository)),
]

/**
 * What a run came to, when all of it is there.
 * @throws FailuresError otherwise
 */
export function allOf(
  imported: readonly ImportedRoot[],
  failures: readonly Failure[],
  { emit }: Pick<BundleImportOptions, 'emit'>,
  next = 'fix what is listed and run the same command again: what is there already costs one request each',
): readonly ImportedRoot[] {
  if (failures.length === 0) return imported
  for (const { kind, name } of failures)
    emit({ type: 'root', phase: 'finish', kind, name, outcome: 'failed' })
  throw new FailuresError(
    `${failures.length} of ${failures.length + imported.length} images and charts were not imported, the other ${imported.length} are`,
    failures,
    next,
  )
}

// --- internal ---

const bytesOf = (blobs: readonly Descriptor[]): number => blobs.reduce((sum, { size }) => sum + size, 0)

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
    // Some gateways answer 404 to every HEAD.
    found = (await target.head(reference)) ?? (await byGet(target, reference))
  }
  if (found?.digest === root.digest) return
  throw new BundleError(
    `after the push, ${reference} stands for ${found?.digest ?? 'nothing'} instead of ${root.digest}`,
    {
      kind: 'integrity',
      where: `destination of ${root.name}`,
      next: 'check whether another client pushes to this tag, and run again',
    },
  )
}

async function byGet(target: ImportRepository, reference: string): Promise<Descriptor | undefined> {
  try {
    return (await target.resolve(reference)).descriptor
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}
