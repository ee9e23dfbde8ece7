import { createPool } from '../../lib/pool.ts'
import { BundleError } from '../../lib/errors.ts'
import { blobsIn, walk } from '../../oci/graph.ts'
import type { ChartContents, ImageContents, RootContents } from '../format/contents.ts'
import { destinationOf, type Layout } from '../format/destination.ts'
import { FailuresError, settleAll } from '../run/failures.ts'
import type { ImportOptions } from '../import/import.ts'
import type { ImportRepository, ImportTarget } from '../run/target.ts'
import { rootManifest, type Bundle } from '../format/open.ts'

/** What a registry has of a bundle's root. */
export interface RootState {
  readonly kind: RootContents['kind']
  readonly name: string
  readonly repository: string
  readonly tags: readonly string[]
  /**
   * `missing`: the tag is not there. `changed`: it stands for another digest. `incomplete`: it is right, but something
   * below it is gone.
   */
  readonly state: 'there' | 'missing' | 'changed' | 'incomplete'
  /** What the tag stands for, or what is gone. */
  readonly found?: string
}

export interface RegistryState {
  readonly roots: readonly RootState[]
  /** Tags in the bundle's repositories that the bundle does not have. */
  readonly extra: readonly string[]
}

/**
 * Compares a registry with a bundle: each tag with its digest, and each manifest and blob below it by HEAD. Nothing is
 * changed, and nothing is downloaded.
 */
export async function verifyRegistry(
  bundle: Bundle,
  target: ImportTarget,
  options: ImportOptions,
): Promise<RegistryState> {
  const { emit, signal, layout } = options
  const roots = bundle.roots.filter((root): root is ImageContents | ChartContents => root.kind !== 'file')
  emit({ type: 'phase', phase: 'resolve', items: roots.length, bytes: 0 })
  const pool = createPool(options.concurrency)
  const { values, failures } = await settleAll(
    roots,
    (root) => pool.run(() => stateOf(root, bundle, target, layout, signal)),
    ({ kind, name }) => ({ kind, name }),
  )
  signal.throwIfAborted()
  if (failures.length > 0)
    throw new FailuresError(`${failures.length} of ${roots.length} could not be looked up`, failures)
  return {
    roots: values,
    extra: await extraTags(
      values.filter(({ state }) => state !== 'missing'),
      target,
      options,
    ),
  }
}

// --- internal ---

async function stateOf(
  root: ImageContents | ChartContents,
  bundle: Bundle,
  target: ImportTarget,
  layout: Layout,
  signal: AbortSignal,
): Promise<RootState> {
  signal.throwIfAborted()
  const { repository, tags } = destinationOf(root, layout)
  const about = { kind: root.kind, name: root.name, repository, tags }
  const there = target.open(repository)
  for (const reference of tags.length === 0 ? [root.digest] : tags) {
    const found = await there.head(reference)
    if (found === undefined) return { ...about, state: 'missing', found: reference }
    if (found.digest !== root.digest)
      return { ...about, state: 'changed', found: `${reference} is ${found.digest}` }
  }
  const gone = await firstGone(root, bundle, there)
  return gone === undefined ? { ...about, state: 'there' } : { ...about, state: 'incomplete', found: gone }
}

async function firstGone(
  root: ImageContents | ChartContents,
  bundle: Bundle,
  there: ImportRepository,
): Promise<string | undefined> {
  const graph = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
  const below = [...graph.nodes.slice(0, -1).map(({ descriptor }) => descriptor), ...blobsIn(graph)]
  for (const descriptor of below) if (!(await there.exists(descriptor))) return descriptor.digest
  return undefined
}

async function extraTags(
  roots: readonly RootState[],
  target: ImportTarget,
  { emit }: ImportOptions,
): Promise<readonly string[]> {
  const known = new Map<string, Set<string>>()
  for (const { repository, tags } of roots) {
    const set = known.get(repository) ?? new Set<string>()
    for (const tag of tags) set.add(tag)
    known.set(repository, set)
  }
  const extra: string[] = []
  for (const [repository, tags] of known) {
    try {
      for await (const tag of target.tags(repository)) if (!tags.has(tag)) extra.push(`${repository}:${tag}`)
    } catch (error) {
      // Listing is a permission of its own (ecr:ListImages); what is there was compared without it.
      if (!(error instanceof BundleError) || error.kind === 'cancelled') throw error
      emit({
        type: 'warning',
        message: `its tags cannot be listed: ${error.message}`,
        where: `repository ${repository}`,
      })
    }
  }
  return extra.toSorted()
}
