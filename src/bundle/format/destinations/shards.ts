import { usageError } from '../../../lib/errors.ts'
import type { Digest } from '../../../oci/digest.ts'
import { blobsIn, walk } from '../../../oci/graph.ts'
import { destinationOf, type Layout } from '../destination.ts'
import { rootManifest, type Bundle } from '../open.ts'

/** One of several runs that import a bundle together. */
export interface ShardChoice {
  /** From 1 on. */
  readonly index: number
  readonly count: number
}

/** What one of them does. */
export interface Shard {
  readonly repositories: readonly string[]
  readonly roots: number
  /** Of blobs that it has to bring; what two of its repositories share is counted once. */
  readonly bytes: number
}

/** What a root takes besides its bytes, as so many bytes: requests, and the registry's own work. */
const ROOT = 25_000_000
const MOST_SHARDS = 1000

/**
 * Which shard a run is: `2/4`, or `auto` in a pod of a Kubernetes Indexed Job, which knows its number and is given how many
 * there are in JOB_COMPLETIONS (or `auto/4`).
 * https://kubernetes.io/docs/tasks/job/indexed-parallel-processing-static/
 * @throws a usage error
 */
export function parseShard(text: string, env: Readonly<Record<string, string | undefined>>): ShardChoice {
  const wrong = (why: string, next = 'write it as 2/4: the second of four') =>
    usageError(`--shard "${text}" is not a shard: ${why}`, { next })
  const [, first = '', of] = /^(auto|\d{1,4})(?:\/(\d{1,4}))?$/.exec(text.trim()) ?? []
  const isAuto = first === 'auto'
  const counted = of ?? (isAuto ? env['JOB_COMPLETIONS'] : undefined)
  if (first === '' || (!isAuto && of === undefined)) throw wrong('it is not <number>/<number>')
  const count = Number(counted)
  if (counted === undefined || !Number.isInteger(count) || count < 1 || count > MOST_SHARDS)
    throw wrong(
      isAuto ? 'the number of shards is missing' : `there can be 1 to ${MOST_SHARDS}`,
      isAuto ? 'set JOB_COMPLETIONS to the completions of the Job, or write auto/4' : undefined,
    )
  const own = isAuto ? env['JOB_COMPLETION_INDEX'] : first
  // Kubernetes counts from 0, people from 1.
  const index = Number(own) + (isAuto ? 1 : 0)
  if (own === undefined || own === '' || !Number.isInteger(index) || index < 1 || index > count)
    throw wrong(
      isAuto ? 'JOB_COMPLETION_INDEX is not set to one of them' : `the first is 1, the last ${count}`,
      isAuto ? 'run it in a Job with completionMode: Indexed' : undefined,
    )
  return { index, count }
}

/**
 * Cuts a bundle by destination repository, the same way on every machine, because nothing but the bundle and the names at
 * the destination decide: the largest first, onto the shard that is least loaded with it. All tags of a repository, and
 * what refers to its images, are in one shard, so no shard ever waits for another.
 * @param mounts the registry mounts blobs across repositories: then only the bytes that a shard lacks count
 */
export async function planShards(
  bundle: Bundle,
  layout: Layout,
  count: number,
  mounts = false,
): Promise<readonly Shard[]> {
  const repositories = new Map<string, { roots: number; readonly blobs: Map<Digest, number> }>()
  for (const root of bundle.roots) {
    if (root.kind === 'file') continue
    const { repository } = destinationOf(root, layout)
    const found = repositories.get(repository) ?? { roots: 0, blobs: new Map<Digest, number>() }
    repositories.set(repository, found)
    found.roots += 1
    const graph = await walk(bundle.source, await rootManifest(bundle, root), root.name)
    for (const { digest, size } of blobsIn(graph)) found.blobs.set(digest, size)
  }
  const sizes = [...repositories].map(([name, { roots, blobs }]) => ({
    name,
    roots,
    blobs,
    bytes: sum(blobs.values()),
  }))
  sizes.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
  const shards = Array.from({ length: count }, () => ({
    repositories: [] as string[],
    roots: 0,
    bytes: 0,
    load: 0,
    has: new Set<Digest>(),
  }))
  for (const { name, roots, blobs, bytes } of sizes) {
    const lacking = (has: ReadonlySet<Digest>): number =>
      mounts ? sum([...blobs].flatMap(([digest, size]) => (has.has(digest) ? [] : [size]))) : bytes
    let best = shards[0]
    let least = Infinity
    for (const shard of shards) {
      const load = shard.load + lacking(shard.has)
      if (load >= least) continue
      least = load
      best = shard
    }
    if (best === undefined) throw new Error('no shards')
    const added = lacking(best.has)
    best.repositories.push(name)
    best.roots += roots
    best.bytes += added
    best.load += added + roots * ROOT
    for (const digest of blobs.keys()) best.has.add(digest)
  }
  return shards.map(({ repositories: names, roots, bytes }) => ({
    repositories: names.toSorted(),
    roots,
    bytes,
  }))
}

/** The bundle as one shard sees it: the images and charts that it imports. */
export async function shardOf(
  bundle: Bundle,
  layout: Layout,
  { index, count }: ShardChoice,
): Promise<Bundle> {
  const shard = (await planShards(bundle, layout, count))[index - 1]
  const own = new Set(shard?.repositories)
  const roots = bundle.roots.filter(
    (root) => root.kind !== 'file' && own.has(destinationOf(root, layout).repository),
  )
  return { ...bundle, roots }
}

// --- internal ---

const sum = (sizes: Iterable<number>): number => {
  let all = 0
  for (const size of sizes) all += size
  return all
}
