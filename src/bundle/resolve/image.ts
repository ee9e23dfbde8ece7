import { collect } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import type { RawManifest, Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { isDigest, type Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { isObject, parseManifest, parseObject } from '../../oci/manifest.ts'
import { isIndex, DOCKER_CONFIG, OCI_CONFIG } from '../../oci/media-types.ts'
import { createMemorySource, type MemorySource } from '../../oci/memory.ts'
import { matchesPlatform, parsePlatform, type Platform } from '../../oci/platform.ts'
import { formatReference, repositoryName, type Reference } from '../../oci/reference.ts'
import { lacks } from '../../oci/select.ts'
import { verified } from '../../oci/verify.ts'
import { candidates, type Mirrors } from '../../registry/mirror.ts'
import { openRepository, type Repository } from '../../registry/repository.ts'
import type { ImageRoot, TransferSource } from '../format/root.ts'
import type { Network } from '../run/network.ts'
import { formatImageFile, type ImageFile } from '../spec/local/image-file.ts'
import { chooseImage, openImages } from '../spec/local/open-images.ts'
import { chooseChildren, type ChooseOptions, type Wanted } from './choose-children.ts'
import { fetchWhole, firstOf, sourcesOf, type MirrorLog, type MirrorOrOrigin } from './mirrored.ts'

export interface ResolveOptions {
  readonly session: Network
  readonly mirrors: Mirrors
  readonly log: MirrorLog
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
  const { session, log } = options
  const where = `source ${formatReference(reference)}`
  const { raw, places, from } = await findManifest(reference, options)
  const { first, all } = sourcesOf(places, formatReference(reference), log)
  const memory = createMemorySource(first)
  const [, ...alternatives] = all
  const source: TransferSource = { ...all[0], ...memory }
  const common = {
    kind: 'image' as const,
    name,
    source,
    alternatives,
    ...(from === undefined ? {} : { from }),
  }
  return wantedPart(raw, memory, common, wanted, {
    session,
    where,
    content: (target) => fetchWhole(places, target, formatReference(reference), log),
    isPinned: reference.digest !== undefined,
    hasBlob: (blob) => firstOf(places, name, log, ({ repository }) => repository.exists(blob)),
  })
}

/** An image in a file of this machine, cut down to the wanted platforms as one of a registry is. */
export async function resolveImageFile(
  file: ImageFile,
  name: string,
  wanted: Wanted,
  { session, locked }: Pick<ResolveOptions, 'session' | 'locked'>,
): Promise<ImageRoot> {
  const where = `source ${formatImageFile(file)}`
  const opened = await openImages(file)
  const raw = await chooseImage(opened, file).manifest()
  const memory = createMemorySource(opened.source)
  memory.addManifest(raw)
  const common = { kind: 'image' as const, name, source: memory, alternatives: [] }
  const root = await wantedPart(raw, memory, common, wanted, {
    session,
    where,
    content: async (target) => collect(verified(await opened.source.fetch(target), target, where)),
    isPinned: false,
    hasBlob: () => Promise.resolve(false),
  })
  if (locked === undefined || locked === (root.original ?? root.graph.root.descriptor).digest) return root
  throw integrityError(`the file holds another image than the lock says: ${locked}`, {
    where,
    next: 'look at what changed, then refresh the lock with: ma-bundle lock',
  })
}

// --- internal ---

interface Origin extends ChooseOptions {
  readonly content: (target: Descriptor) => Promise<Uint8Array>
}

/** Everything below a manifest, or below what of an index is wanted. */
async function wantedPart(
  raw: RawManifest,
  memory: MemorySource,
  common: Omit<ImageRoot, 'graph' | 'original'>,
  wanted: Wanted,
  origin: Origin,
): Promise<ImageRoot> {
  const { session, where, content } = origin
  if (!isIndex(raw.descriptor.mediaType)) {
    await checkPlatform(raw, memory, content, wanted, session, where)
    return { ...common, graph: await walk(memory, raw, where) }
  }
  const index = await chooseChildren(raw, memory, wanted, origin)
  if (index === raw) return { ...common, graph: await walk(memory, raw, where) }
  memory.addManifest(index)
  return { ...common, graph: await walk(memory, index, where), original: raw.descriptor }
}

/** Real configs have kilobytes; a larger one is fetched with the layers, and its platform is not looked at. */
const CONFIG_LIMIT = 4 * 1024 * 1024

interface ImagePlace extends MirrorOrOrigin {
  readonly repository: Repository
  readonly name: string
}

interface Found {
  readonly raw: RawManifest
  /** That which delivered it first, then the others in their order. */
  readonly places: readonly ImagePlace[]
  readonly from?: string
}

async function findManifest(reference: Reference, options: ResolveOptions): Promise<Found> {
  const { session, mirrors, locked, log, known } = options
  const digest = reference.digest ?? locked
  const places = candidates(reference, mirrors).map((place): ImagePlace => {
    const repository = openRepository(session.client, place.registry, place.repository, { foreign: true })
    const source = known === undefined ? repository : sparing(repository, known)
    const own = repositoryName(place)
    return own === repositoryName(reference)
      ? { repository, source, name: own }
      : { repository, source, name: own, mirror: { host: place.registry, place: own } }
  })
  const found = await firstOf(places, formatReference(reference), log, async (place) => {
    session.signal.throwIfAborted()
    if (locked !== undefined && reference.digest === undefined)
      await checkMoved(place.repository, reference, locked)
    const raw = await place.source.resolve(digest ?? reference.tag ?? 'latest')
    return { raw, place }
  })
  const { raw, place } = found
  const others = places.filter((other) => other !== place)
  return {
    raw,
    places: [place, ...others],
    ...(place.mirror === undefined ? {} : { from: place.name }),
  }
}

/** Looks first among what is known, by digest; a tag is turned into one by HEAD. */
const sparing = (repository: Repository, known: KnownManifests): Source => ({
  async resolve(reference) {
    const digest = isDigest(reference) ? reference : (await repository.head(reference))?.digest
    const found = digest === undefined ? undefined : await known(digest)
    return found ?? repository.resolve(reference)
  },
  fetch: (target, start) => repository.fetch(target, start),
  ...(repository.fetchRange === undefined ? {} : { fetchRange: repository.fetchRange }),
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

/** A lone manifest offers no choice: it is taken when it runs on one of the platforms, and refused when on none. */
async function checkPlatform(
  raw: RawManifest,
  memory: MemorySource,
  contentOf: (target: Descriptor) => Promise<Uint8Array>,
  wanted: Wanted,
  session: Network,
  where: string,
): Promise<void> {
  const { config } = parseManifest(raw, where)
  const isImage = config?.mediaType === OCI_CONFIG || config?.mediaType === DOCKER_CONFIG
  if (wanted.platforms === 'all' || config === undefined || !isImage || config.size > CONFIG_LIMIT) return
  const content = await contentOf(config)
  memory.add(config.digest, content)
  const offered = configPlatform(content)
  if (offered === undefined) return
  const missing = wanted.platforms.filter((platform) => !matchesPlatform(platform, offered))
  if (missing.length === 0) return
  const fits = missing.length < wanted.platforms.length && !wanted.explicit
  tolerate(lacks(missing, [offered], where), fits || wanted.allowMissing, session)
}

function tolerate(problem: BundleError, allowed: boolean, { emit }: Network): void {
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
