import { usageError } from '../../../lib/errors.ts'
import { createPool } from '../../../lib/pool.ts'
import { parseDigest, type Digest } from '../../../oci/digest.ts'
import type { Layout } from '../../format/destination.ts'
import type { Kept } from './kept.ts'
import type { PruneStore, Refused, StoredManifest } from './store.ts'

/** What a repository has, parted into what stays and what nothing kept needs. */
export interface RepositoryPlan {
  readonly repository: string
  readonly remove: readonly StoredManifest[]
  /** Manifests, those of platforms and signatures included. */
  readonly kept: number
  /** Needed by nothing that is kept, but pushed so lately that an import may be under way. */
  readonly young: number
}

export interface PlanOptions {
  /** Milliseconds: what was pushed later than this long ago stays. */
  readonly graceMs: number
  readonly now: number
  /** Repositories at a time. */
  readonly concurrency: number
  readonly signal: AbortSignal
}

/**
 * The repositories below the prefixes of a layout; nothing else is ever inspected.
 * @throws a usage error for a layout without prefixes, which would be the whole registry
 */
export function ownRepositories(
  all: readonly string[],
  { path, prefix, chartPrefix }: Layout,
): readonly string[] {
  const below = [prefix, chartPrefix].map((part) => [path, part].filter((one) => one !== '').join('/'))
  if (below.includes(''))
    throw usageError('prune needs a prefix: without one, all repositories of the registry are meant', {
      next: 'give --prefix and --chart-prefix, or a path behind the registry, as in --registry <host>/<path>',
    })
  return all.filter((name) => below.some((start) => name.startsWith(`${start}/`))).toSorted()
}

/** Looks at every repository and changes nothing. Those without anything to remove are in the answer too. */
export async function planPrune(
  store: PruneStore,
  repositories: readonly string[],
  kept: Kept,
  { graceMs, now, concurrency, signal }: PlanOptions,
): Promise<readonly RepositoryPlan[]> {
  const pool = createPool(concurrency)
  return Promise.all(
    repositories.map((repository) =>
      pool.run(async () => {
        signal.throwIfAborted()
        const stored = await store.manifests(repository)
        const stay = await closureOf(store, repository, stored, kept)
        const rest = stored.filter(({ digest }) => !stay.has(digest))
        const isYoung = ({ pushedAt }: StoredManifest) => pushedAt !== undefined && now - pushedAt < graceMs
        // What a young index names is as young as it: an import pushes children first.
        const young = await closureOf(store, repository, stored, onlyDigests(rest.filter(isYoung)))
        const remove = rest.filter(({ digest }) => !young.has(digest))
        return { repository, remove, kept: stored.length - rest.length, young: rest.length - remove.length }
      }),
    ),
  )
}

export interface PrunedRepository {
  readonly repository: string
  readonly removed: readonly StoredManifest[]
  readonly refused: readonly Refused[]
  /** Their tags moved since they were inspected: they are left for the next run. */
  readonly changed: readonly StoredManifest[]
  /** The repository itself, which was ours and is empty now. */
  readonly repositoryRemoved: boolean
}

/**
 * Deletes what a plan says, indexes before what they name, so that a run that is cut off leaves no index with missing
 * children. Right before, the repository is listed again: what got another tag meanwhile stays.
 */
export async function prune(
  store: PruneStore,
  { repository, remove }: RepositoryPlan,
  signal: AbortSignal,
): Promise<PrunedRepository> {
  const present = new Map((await store.manifests(repository)).map((one) => [one.digest, one]))
  const isAsSeen = ({ digest, tags }: StoredManifest): boolean =>
    present.get(digest)?.tags.toSorted().join(' ') === tags.toSorted().join(' ')
  const changed = remove.filter((one) => present.has(one.digest) && !isAsSeen(one))
  const children = new Map<Digest, readonly Digest[]>()
  let waiting = remove.filter(isAsSeen)
  for (const one of waiting) children.set(one.digest, await store.children(repository, one))
  const removed: StoredManifest[] = []
  const refused: Refused[] = []
  while (waiting.length > 0) {
    signal.throwIfAborted()
    const inside = new Set(waiting.flatMap(({ digest }) => children.get(digest) ?? []))
    const round = waiting.filter(({ digest }) => !inside.has(digest))
    const no = new Map(
      (
        await store.remove(
          repository,
          round.map(({ digest }) => digest),
        )
      ).map((one) => [one.digest, one]),
    )
    const gone = round.filter(({ digest }) => !no.has(digest))
    removed.push(...gone)
    const left = waiting.filter((one) => !gone.includes(one))
    if (gone.length === 0) {
      const reason = 'an index that names it was not deleted'
      refused.push(...left.map(({ digest }) => no.get(digest) ?? { digest, referenced: true, reason }))
      break
    }
    refused.push(...[...no.values()].filter(({ referenced }) => !referenced))
    waiting = left.filter(({ digest }) => no.get(digest)?.referenced !== false)
  }
  const isEmpty = removed.length > 0 && removed.length === present.size
  const repositoryRemoved = isEmpty && (await store.removeRepository(repository))
  return { repository, removed, refused, changed, repositoryRemoved }
}

// --- internal ---

const onlyDigests = (manifests: readonly StoredManifest[]): Kept => ({
  digests: new Set(manifests.map(({ digest }) => digest)),
  byRepository: new Map(),
})

/**
 * Everything that kept names and digests need: children of indexes, and what belongs to a kept digest, by its subject or
 * by cosign's tags (`sha256-<hex>.sig`), with their own children and signatures in turn.
 */
async function closureOf(
  store: PruneStore,
  repository: string,
  stored: readonly StoredManifest[],
  { digests, byRepository }: Kept,
): Promise<ReadonlySet<Digest>> {
  const named = byRepository.get(repository)
  const known = new Map(stored.map((one) => [one.digest, one]))
  const stay = new Set<Digest>()
  const add = async (manifest: StoredManifest): Promise<void> => {
    if (stay.has(manifest.digest)) return
    stay.add(manifest.digest)
    for (const child of await store.children(repository, manifest)) {
      const found = known.get(child)
      if (found !== undefined) await add(found)
    }
  }
  const isNamed = ({ digest, tags }: StoredManifest): boolean =>
    digests.has(digest) ||
    named?.digests.has(digest) === true ||
    tags.some((tag) => named?.tags.has(tag) === true)
  for (const one of stored) if (isNamed(one)) await add(one)
  for (let before = -1; before !== stay.size;) {
    before = stay.size
    for (const one of stored) if (belongsTo(one).some((subject) => stay.has(subject))) await add(one)
  }
  return stay
}

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema, and cosign's own tags. */
const belongsTo = ({ subject, tags }: StoredManifest): readonly Digest[] => [
  ...(subject === undefined ? [] : [subject]),
  ...tags.flatMap((tag) => {
    const hex = /^sha256-([0-9a-f]{64})(?:$|[.-])/.exec(tag)?.[1]
    return hex === undefined ? [] : [parseDigest(`sha256:${hex}`)]
  }),
]
