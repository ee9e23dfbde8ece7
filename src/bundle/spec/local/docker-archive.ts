import { posix } from 'node:path'
import type { ArchiveReader } from '../../../archive/reader.ts'
import type { Bytes } from '../../../lib/bytes/bytes.ts'
import { integrityError, usageError } from '../../../lib/errors.ts'
import type { RawManifest, Source } from '../../../oci/content.ts'
import type { Descriptor } from '../../../oci/descriptor.ts'
import { digestOf, isDigest, type Digest } from '../../../oci/digest.ts'
import { isObject, parseObject } from '../../../oci/manifest.ts'
import { OCI_CONFIG, OCI_MANIFEST } from '../../../oci/media-types.ts'
import type { LocalImage, LocalImages } from './image-file.ts'

/**
 * The images of what `docker save` writes: a list of configs and layers, to which the manifest is made here. The same
 * archive makes the same manifest. https://github.com/moby/docker-image-spec/blob/main/spec.md
 * @param links paths of the archive that stand for others
 * @throws a usage error when it is none
 */
export async function dockerImages(
  archive: ArchiveReader,
  links: ReadonlyMap<string, string>,
  where: string,
): Promise<LocalImages> {
  if (!archive.entries.has('manifest.json')) {
    const isLayout = archive.entries.has('index.json')
    throw usageError('it is not what docker save writes: it has no manifest.json', {
      next: isLayout
        ? 'it is an OCI layout: take it with oci-archive:'
        : 'name a file that docker save wrote',
    })
  }
  const text = new TextDecoder().decode(await archive.readAll('manifest.json', LIST_LIMIT))
  const list = parseObject(new TextEncoder().encode(`{"images":${text}}`))?.['images']
  if (!Array.isArray(list)) throw usageError('its manifest.json cannot be read')
  /** Where the content of each digest lies. */
  const places = new Map<Digest, string>()
  const find = (path: string): string => {
    const place = followed(path, archive, links)
    if (place === undefined)
      throw integrityError(`it has no ${JSON.stringify(path.slice(0, 200))}`, { where })
    return place
  }
  const images = list.filter(isObject).map(({ Config, RepoTags, Layers }): LocalImage => {
    const made = once(async () => {
      if (typeof Config !== 'string' || !Array.isArray(Layers))
        throw usageError('its manifest.json cannot be read')
      const config = await archive.readAll(find(Config), CONFIG_LIMIT)
      places.set(digestOf(config), find(Config))
      const diffIds = diffIdsOf(config)
      const layers: Descriptor[] = []
      for (const [at, path] of Layers.filter((one) => typeof one === 'string').entries()) {
        const layer = await describeLayer(archive, find(path), diffIds[at])
        places.set(layer.digest, find(path))
        layers.push(layer)
      }
      return manifestOf(config, layers)
    })
    return {
      names: Array.isArray(RepoTags) ? RepoTags.filter((name) => typeof name === 'string') : [],
      manifest: made,
    }
  })
  const source: Source = {
    resolve: (reference) => Promise.reject(integrityError(`it has no manifest ${reference}`, { where })),
    fetch: (target, start) => Promise.resolve(contentOf(archive, places, target, where, start)),
  }
  return { images, source }
}

// --- internal ---

const LIST_LIMIT = 16 * 1024 * 1024
const CONFIG_LIMIT = 4 * 1024 * 1024
const MOST_LINKS = 8

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= work())
}

/** A path through the links of the archive; older ones keep a layer once and link to it from each image. */
function followed(
  path: string,
  { entries }: ArchiveReader,
  links: ReadonlyMap<string, string>,
): string | undefined {
  let at = posix.normalize(path)
  for (let step = 0; step < MOST_LINKS; step += 1) {
    if (entries.has(at)) return at
    const target = links.get(at)
    if (target === undefined) return undefined
    at = target.startsWith('/') ? target.slice(1) : posix.join(posix.dirname(at), target)
  }
  return undefined
}

function diffIdsOf(config: Uint8Array): readonly unknown[] {
  const rootfs = parseObject(config)?.['rootfs']
  const ids = isObject(rootfs) ? rootfs['diff_ids'] : undefined
  return Array.isArray(ids) ? ids : []
}

/** A plain layer has the digest that the config says; a packed one has to be read for its own. */
async function describeLayer(archive: ArchiveReader, path: string, diffId: unknown): Promise<Descriptor> {
  const size = archive.entries.get(path)?.size ?? 0
  const head = new Uint8Array(4)
  for await (const piece of archive.read(path)) {
    head.set(piece.subarray(0, 4))
    break
  }
  const packer =
    head[0] === 0x1f && head[1] === 0x8b ? '+gzip' : head[0] === 0x28 && head[1] === 0xb5 ? '+zstd' : ''
  if (packer === '' && isDigest(diffId)) return { mediaType: LAYER, digest: diffId, size }
  const hasher = new Bun.CryptoHasher('sha256')
  for await (const piece of archive.read(path)) hasher.update(piece)
  return { mediaType: `${LAYER}${packer}`, digest: `sha256:${hasher.digest('hex')}`, size }
}

const LAYER = 'application/vnd.oci.image.layer.v1.tar'

function manifestOf(config: Uint8Array, layers: readonly Descriptor[]): RawManifest {
  const describe = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size })
  const raw = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
      layers: layers.map(describe),
    }),
  )
  return { raw, descriptor: { mediaType: OCI_MANIFEST, digest: digestOf(raw), size: raw.length } }
}

async function* contentOf(
  archive: ArchiveReader,
  places: ReadonlyMap<Digest, string>,
  { digest }: Descriptor,
  where: string,
  start?: number,
): Bytes {
  const path = places.get(digest)
  if (path === undefined) throw integrityError(`it has no content ${digest}`, { where })
  yield* archive.read(path, start)
}
