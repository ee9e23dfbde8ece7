import { createPool } from '../../lib/pool.ts'
import { BundleError } from '../../lib/errors.ts'
import { blobsIn, walk } from '../../oci/graph.ts'
import type { ChartContents, ImageContents, RootContents } from '../format/contents.ts'
import { destinationOf } from '../format/destination.ts'
import { blobPath } from '../format/plan.ts'
import { FailuresError, settleAll } from '../run/failures.ts'
import type { BundleImportOptions } from '../import/import.ts'
import { holesBelow } from '../import/holes.ts'
import type { ImportTarget } from '../run/target.ts'
import { rootManifest, type Bundle } from '../format/open.ts'

/** What a registry has of a bundle's root. */
export interface RootState {
  readonly kind: RootContents['kind']
  readonly name: string
  readonly repository: string
  readonly tags: readonly string[]
  /**
   * `missing`: the tag is not there. `changed`: it stands for another digest. `incomplete`: it is right, but something
   * below it is gone. `damaged`: something below it has other bytes than its digest says.
   */
  readonly state: 'there' | 'missing' | 'changed' | 'incomplete' | 'damaged'
  /** What the tag stands for, or what is gone or damaged. */
  readonly found?: string
}

export interface RegistryState {
  readonly roots: readonly RootState[]
  /** Tags in the bundle's repositories that the bundle does not have. */
  readonly extra: readonly string[]
}

export interface VerifyRegistryOptions extends BundleImportOptions {
  /** Read every byte of every blob; else existence and size are asked for, and nothing is downloaded. */
  readonly deep: boolean
  /** All of the bundle, when only a part is compared: the tags of the rest are not extra. */
  readonly all?: readonly RootContents[]
}

/**
 * Compares a registry with a bundle: each tag with its digest, and each manifest and blob below it. Nothing is changed.
 */
export async function verifyRegistry(
  bundle: Bundle,
  target: ImportTarget,
  options: VerifyRegistryOptions,
): Promise<RegistryState> {
  const { emit, signal } = options
  const roots = bundle.roots.filter((root): root is ImageContents | ChartContents => root.kind !== 'file')
  emit({ type: 'phase', phase: 'resolve', items: roots.length, bytes: 0 })
  const pool = createPool(options.concurrency)
  if (options.deep) emit({ type: 'phase', phase: 'check', ...(await weightOf(roots, bundle)) })
  const { values, failures } = await settleAll(
    roots,
    (root) => pool.run(() => stateOf(root, bundle, target, options)),
    ({ kind, name }) => ({ kind, name }),
  )
  signal.throwIfAborted()
  if (failures.length > 0)
    throw new FailuresError(`${failures.length} of ${roots.length} could not be looked up`, failures)
  return {
    roots: values,
    extra: await extraTags(
      bundle,
      values.filter(({ state }) => state !== 'missing'),
      target,
      options,
    ),
  }
}

// --- internal ---

/** What is read of a registry that has all of it. */
async function weightOf(
  roots: readonly (ImageContents | ChartContents)[],
  bundle: Bundle,
): Promise<{ readonly items: number; readonly bytes: number }> {
  let [items, bytes] = [0, 0]
  for (const root of roots) {
    const blobs = blobsIn(await walk(bundle.source, await rootManifest(bundle, root), 'bundle'))
    items += blobs.length
    bytes += blobs.reduce((sum, { size }) => sum + size, 0)
  }
  return { items, bytes }
}

async function stateOf(
  root: ImageContents | ChartContents,
  bundle: Bundle,
  target: ImportTarget,
  options: VerifyRegistryOptions,
): Promise<RootState> {
  options.signal.throwIfAborted()
  const { repository, tags } = destinationOf(root, options.layout)
  const about = { kind: root.kind, name: root.name, repository, tags }
  const there = target.open(repository)
  for (const reference of tags.length === 0 ? [root.digest] : tags) {
    const found = await there.head(reference)
    if (found === undefined) return { ...about, state: 'missing', found: reference }
    if (found.digest !== root.digest)
      return { ...about, state: 'changed', found: `${reference} is ${found.digest}` }
  }
  const graph = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
  const holes = await holesBelow(graph, there, { ...options, name: root.name })
  if (holes.length === 0) return { ...about, state: 'there' }
  const state = holes.some(({ fault }) => fault === 'wrong') ? 'damaged' : 'incomplete'
  return { ...about, state, found: holes.map(({ digest }) => digest).join(', ') }
}

/** The tag that stands in for the referrers API: an import writes it for what the bundle has of a subject's referrers. */
function isReferrersTag(tag: string, { archive }: Bundle): boolean {
  const [, hex] = /^sha256-([0-9a-f]{64})$/.exec(tag) ?? []
  return hex !== undefined && archive.entries.has(blobPath(`sha256:${hex}`))
}

async function extraTags(
  bundle: Bundle,
  roots: readonly RootState[],
  target: ImportTarget,
  { emit, all = [], layout }: VerifyRegistryOptions,
): Promise<readonly string[]> {
  const others = all.filter((root) => root.kind !== 'file').map((root) => destinationOf(root, layout))
  const known = new Map<string, Set<string>>()
  for (const { repository, tags } of [...roots, ...others]) {
    const set = known.get(repository) ?? new Set<string>()
    for (const tag of tags) set.add(tag)
    known.set(repository, set)
  }
  const extra: string[] = []
  for (const repository of new Set(roots.map((root) => root.repository))) {
    const tags = known.get(repository) ?? new Set()
    try {
      for await (const tag of target.tags(repository))
        if (!tags.has(tag) && !isReferrersTag(tag, bundle)) extra.push(`${repository}:${tag}`)
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
