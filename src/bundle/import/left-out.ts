import type { Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError } from '../../lib/errors.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { createPool } from '../../lib/pool.ts'
import type { Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { blobsIn, type Graph } from '../../oci/graph.ts'
import type { RootContents } from '../format/contents.ts'
import { FailuresError } from '../run/failures.ts'
import type { Bundle } from '../format/open.ts'
import { blobPath } from '../format/plan.ts'

/** A registry, as far as looking for blobs goes. */
export interface BlobRegistry {
  open(repository: string): {
    exists(blob: Descriptor): Promise<boolean>
    fetch(blob: Descriptor, start?: number): Promise<Bytes>
  }
}

/** Where the blobs are that a bundle leaves out and that their own repository lacks too. */
export interface Elsewhere {
  readonly size: number
  /** Whether `repository` was seen to have the blob. */
  isIn(digest: Digest, repository: string): boolean
  /** A repository of the registry that has the blob, when `repository` has it not. */
  homeOf(digest: Digest, repository: string): string | undefined
  /** The bundle, and behind it the registry for what the bundle leaves out. */
  source(bundle: Source, target: BlobRegistry): Source
}

interface Arriving {
  readonly root: RootContents
  readonly repository: string
  readonly graph?: Graph
}

export interface LocateOptions {
  readonly concurrency: number
  readonly signal: AbortSignal
  /** Blobs that were just brought into the registry, and the repository of each: nobody has to be asked for them. */
  readonly brought?: ReadonlyMap<Digest, string>
}

/**
 * Makes sure, before anything is pushed, that the destination has every blob the bundle leaves out: in the repository
 * that needs it, or in another of the bundle's, from where it is mounted or copied. By HEAD; nothing is changed.
 * @throws FailuresError that lists what is missing
 */
export async function locateAbsent(
  bundle: Bundle,
  arriving: readonly Arriving[],
  destinations: readonly { readonly repository: string }[],
  target: BlobRegistry,
  { concurrency, signal, brought }: LocateOptions,
): Promise<Elsewhere> {
  const places = new Map<Digest, string>(brought)
  const here = new Set<string>()
  const named = new Set(bundle.contents?.absent?.map(({ digest }) => digest))
  const isAbsent = ({ digest }: Descriptor): boolean =>
    (named.has(digest) || brought?.has(digest) === true) && !bundle.archive.entries.has(blobPath(digest))
  const repositories = [...new Set(destinations.map(({ repository }) => repository))]
  const pool = createPool(concurrency)
  const asked = new Map<string, Promise<boolean>>()
  const isIn = (repository: string, blob: Descriptor): Promise<boolean> => {
    const key = `${repository} ${blob.digest}`
    const before = asked.get(key)
    if (before !== undefined) return before
    const answer = pool.run(() => {
      signal.throwIfAborted()
      return target.open(repository).exists(blob)
    })
    asked.set(key, answer)
    return answer
  }
  const locate = async (blob: Descriptor, repository: string): Promise<boolean> => {
    const home = brought?.get(blob.digest)
    if (home === repository || (await isIn(repository, blob))) {
      here.add(`${repository} ${blob.digest}`)
      if (home === undefined) places.set(blob.digest, repository)
      return true
    }
    if (home !== undefined) return true
    for (const other of repositories) {
      if (other === repository || !(await isIn(other, blob))) continue
      places.set(blob.digest, other)
      return true
    }
    return false
  }
  const results = await Promise.all(
    arriving.map(async ({ root, repository, graph }) => {
      const blobs = graph === undefined ? [] : blobsIn(graph).filter(isAbsent)
      const found = await Promise.all(blobs.map((blob) => locate(blob, repository)))
      return { root, lacking: blobs.filter((_, at) => found[at] === false) }
    }),
  )
  refuse(results.filter(({ lacking }) => lacking.length > 0))
  return {
    size: places.size,
    isIn: (digest, repository) => here.has(`${repository} ${digest}`),
    homeOf: (digest, repository) => (here.has(`${repository} ${digest}`) ? undefined : places.get(digest)),
    source: (source, to) => ({
      resolve: (reference) => source.resolve(reference),
      fetch: (blob, start) => {
        const place = isAbsent(blob) ? places.get(blob.digest) : undefined
        return place === undefined ? source.fetch(blob, start) : to.open(place).fetch(blob, start)
      },
    }),
  }
}

// --- internal ---

function refuse(missing: readonly { root: RootContents; lacking: readonly Descriptor[] }[]): void {
  if (missing.length === 0) return
  const blobs = new Map(missing.flatMap(({ lacking }) => lacking).map((blob) => [blob.digest, blob.size]))
  const bytes = [...blobs.values()].reduce((sum, size) => sum + size, 0)
  throw new FailuresError(
    `the bundle leaves out ${plural(blobs.size, 'blob')} (${formatBytes(bytes)}) that the registry does not have either; nothing was pushed`,
    missing.map(({ root: { kind, name }, lacking }) => ({
      kind,
      name,
      error: new BundleError(
        `not there: ${lacking.map(({ digest, size }) => `${digest} (${formatBytes(size)})`).join(', ')}`,
        { kind: 'failed' },
      ),
    })),
    'import the bundle first that this one was exported --since, or export one for what "ma-bundle inventory" says is there',
  )
}
