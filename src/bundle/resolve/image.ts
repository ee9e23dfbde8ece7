import { collect } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import type { RawManifest, Source } from '../../oci/content.ts'
import { isDigest, type Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { isObject, parseManifest, parseObject } from '../../oci/manifest.ts'
import { isIndex, DOCKER_CONFIG, OCI_CONFIG } from '../../oci/media-types.ts'
import { createMemorySource, type MemorySource } from '../../oci/memory.ts'
import { matchesPlatform, parsePlatform, type Platform } from '../../oci/platform.ts'
import { formatReference, repositoryName, type Reference } from '../../oci/reference.ts'
import { lacks, platformsIn, selectPlatforms } from '../../oci/select.ts'
import { verified } from '../../oci/verify.ts'
import { candidates, type Mirrors } from '../../registry/mirror.ts'
import { openRepository, type Repository } from '../../registry/repository.ts'
import type { ImageRoot } from '../format/root.ts'
import type { Session } from '../run/network.ts'

/** Which platforms an image is wanted for. */
export interface Wanted {
  readonly platforms: readonly Platform[] | 'all'
  /** The user (or the spec, for this image) named the platforms: each must be there. */
  readonly explicit: boolean
  /** Missing platforms are warned about, not refused. */
  readonly allowMissing: boolean
}

export interface ResolveOptions {
  readonly session: Session
  readonly mirrors: Mirrors
  /** Mirrors that could not be reached in this run; added to. */
  readonly unreachable: Set<string>
  /** Digest from the lock: what the tag has to stand for. */
  readonly locked?: Digest
  /** Manifests that are here already, by digest; asking for them would be counted by Docker Hub. */
  readonly known?: KnownManifests
}

export type KnownManifests = (digest: Digest) => Promise<RawManifest | undefined>

/**
 * An image reference to everything below it: asked of each mirror in turn, then of the origin; cut down to the
 * wanted platforms unless the reference pins a digest.
 * @param name what the image is called in the bundle
 */
export async function resolveImage(
  reference: Reference,
  name: string,
  wanted: Wanted,
  options: ResolveOptions,
): Promise<ImageRoot> {
  const { session } = options
  const where = `source ${formatReference(reference)}`
  const { raw, source, from } = await findManifest(reference, options)
  const memory = createMemorySource(source)
  const common = { kind: 'image' as const, name, ...(from === undefined ? {} : { from }) }
  if (!isIndex(raw.descriptor.mediaType)) {
    await checkPlatform(raw, memory, wanted, session, where)
    return { ...common, source: memory, graph: await walk(memory, raw, where) }
  }
  if (wanted.platforms === 'all' || reference.digest !== undefined) {
    return { ...common, source: memory, graph: await walk(memory, raw, where) }
  }
  const below = await nestedPlatforms(raw, memory, where)
  const { index, missing, offered } = selectPlatforms(raw, wanted.platforms, where, below)
  if (missing.length > 0) tolerate(lacks(missing, offered, where), wanted.allowMissing, session)
  if (index !== raw) memory.addManifest(index)
  return {
    ...common,
    source: memory,
    graph: await walk(memory, index, where),
    ...(index === raw ? {} : { original: raw.descriptor }),
  }
}

// --- internal ---

/** Real configs have kilobytes; a larger one is fetched with the layers, and its platform is not looked at. */
const CONFIG_LIMIT = 4 * 1024 * 1024

interface Found {
  readonly raw: RawManifest
  readonly source: Source
  readonly from?: string
}

async function findManifest(
  reference: Reference,
  { session, mirrors, locked, unreachable, known }: ResolveOptions,
): Promise<Found> {
  const digest = reference.digest ?? locked
  const places = candidates(reference, mirrors)
  let failure: unknown
  for (const place of places) {
    session.signal.throwIfAborted()
    if (place !== places.at(-1) && unreachable.has(place.registry)) continue
    try {
      const repository = openRepository(session.client, place.registry, place.repository, { foreign: true })
      const source = known === undefined ? repository : sparing(repository, known)
      if (locked !== undefined && reference.digest === undefined)
        await checkMoved(repository, reference, locked)
      const raw = await source.resolve(digest ?? reference.tag ?? 'latest')
      const from = repositoryName(place)
      return from === repositoryName(reference) ? { raw, source } : { raw, source, from }
    } catch (error) {
      if (!(error instanceof BundleError) || error.kind === 'integrity') throw error
      failure = error
      if (place !== places.at(-1)) {
        // A mirror that is down would cost every image its retries.
        if (error.kind === 'network') unreachable.add(place.registry)
        session.emit({
          type: 'warning',
          message: `mirror ${repositoryName(place)} did not serve it: ${error.message}`,
          where: `source ${formatReference(reference)}`,
        })
      }
    }
  }
  throw failure
}

/** Looks first among what is known, by digest; a tag is turned into one by HEAD. */
const sparing = (repository: Repository, known: KnownManifests): Source => ({
  async resolve(reference) {
    const digest = isDigest(reference) ? reference : (await repository.head(reference))?.digest
    const found = digest === undefined ? undefined : await known(digest)
    return found ?? repository.resolve(reference)
  },
  fetch: (target, start) => repository.fetch(target, start),
})

/** The lock says what a tag stood for; that it stands for something else now is for a person to decide on. */
async function checkMoved(source: Repository, reference: Reference, locked: Digest): Promise<void> {
  const now = await source.head(reference.tag ?? 'latest')
  if (now === undefined || now.digest === locked) return
  throw integrityError(`the tag has moved: the lock says ${locked}, the registry ${now.digest}`, {
    where: `source ${formatReference(reference)}`,
    next: 'look at what changed, then refresh the lock with: ma-bundle lock',
  })
}

/** What indexes within an index offer that does not name their platforms; such an index is kept whole. */
async function nestedPlatforms(
  index: RawManifest,
  source: Source,
  where: string,
): Promise<readonly Platform[]> {
  const nested = parseManifest(index, where).manifests.filter(
    ({ platform, mediaType }) => platform === undefined && isIndex(mediaType),
  )
  const graphs = await Promise.all(
    nested.map(async ({ digest }) => walk(source, await source.resolve(digest), where)),
  )
  return graphs.flatMap(({ nodes }) => nodes.flatMap(({ manifest }) => platformsIn(manifest.manifests)))
}

/** A lone manifest offers no choice: it is taken when it runs on one of the platforms, and refused when on none. */
async function checkPlatform(
  raw: RawManifest,
  memory: MemorySource,
  wanted: Wanted,
  session: Session,
  where: string,
): Promise<void> {
  const { config } = parseManifest(raw, where)
  const isImage = config?.mediaType === OCI_CONFIG || config?.mediaType === DOCKER_CONFIG
  if (wanted.platforms === 'all' || config === undefined || !isImage || config.size > CONFIG_LIMIT) return
  const content = await collect(verified(await memory.fetch(config), config, where))
  memory.add(config.digest, content)
  const offered = configPlatform(content)
  if (offered === undefined) return
  const missing = wanted.platforms.filter((platform) => !matchesPlatform(platform, offered))
  if (missing.length === 0) return
  const fits = missing.length < wanted.platforms.length && !wanted.explicit
  tolerate(lacks(missing, [offered], where), fits || wanted.allowMissing, session)
}

function tolerate(problem: BundleError, allowed: boolean, { emit }: Session): void {
  if (!allowed) throw problem
  emit({
    type: 'warning',
    message: problem.message,
    ...(problem.where === undefined ? {} : { where: problem.where }),
  })
}

function configPlatform(content: Uint8Array): Platform | undefined {
  const json = parseObject(content)
  if (!isObject(json) || typeof json['os'] !== 'string' || typeof json['architecture'] !== 'string')
    return undefined
  if (json['os'] === '' || json['architecture'] === '') return undefined
  const variant = typeof json['variant'] === 'string' && json['variant'] !== '' ? `/${json['variant']}` : ''
  return parsePlatform(`${json['os']}/${json['architecture']}${variant}`)
}
