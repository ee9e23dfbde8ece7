import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveReader } from '../../../archive/reader.ts'
import { scanArchive } from '../../../archive/scan.ts'
import { BLOCK, type PlacedEntry } from '../../../archive/tar.ts'
import { openFile } from '../../../lib/bytes/file.ts'
import type { Bytes, RandomReader } from '../../../lib/bytes/bytes.ts'
import { BundleError, codeOf, usageError } from '../../../lib/errors.ts'
import { whyUnreadable } from '../../../lib/file-errors.ts'
import { parseDigest } from '../../../oci/digest.ts'
import { isObject, parseObject } from '../../../oci/manifest.ts'
import { sourceOf } from '../../format/open.ts'
import { CONTAINERD_NAME, REF_NAME } from '../../format/oci-layout.ts'
import { dockerImages } from './docker-archive.ts'
import { formatImageFile, type ImageFile, type LocalImage, type LocalImages } from './image-file.ts'

/**
 * The images of a file or a folder. Nothing is unpacked.
 * @throws a usage error when it cannot be read, or is not what its prefix says
 */
export async function openImages(file: ImageFile): Promise<LocalImages> {
  const { format, local } = file
  if (local === undefined) {
    throw usageError(`the image lies in ${formatImageFile(file)}, beside a spec that is not here`, {
      next: 'give the spec again with --spec, or the file on the command line',
    })
  }
  try {
    if (format === 'oci') return await layoutImages(await folderArchive(local), file)
    const reader = await lazyFile(local)
    const links = new Map<string, string>()
    const archive = await scanArchive(reader, {
      onLink: (path, target, isHard) => links.set(path, isHard ? `/${target}` : target),
    })
    return format === 'docker-archive'
      ? await dockerImages(archive, links, formatImageFile(file))
      : await layoutImages(archive, file)
  } catch (error) {
    if (error instanceof BundleError && error.where !== undefined) throw error
    if (error instanceof BundleError) {
      const facts = { kind: error.kind, where: formatImageFile(file), cause: error }
      throw new BundleError(error.message, {
        ...facts,
        ...(error.next === undefined ? {} : { next: error.next }),
      })
    }
    if (codeOf(error) === undefined) throw error
    throw usageError(`cannot read ${formatImageFile(file)}: ${whyUnreadable(error)}`, { cause: error })
  }
}

/**
 * The one that is meant.
 * @throws a usage error that lists what there is
 */
export function chooseImage({ images }: LocalImages, file: ImageFile): LocalImage {
  const { name } = file
  const [only] = images
  if (name === undefined && images.length === 1 && only !== undefined) return only
  const found = images.find(({ names }) => name !== undefined && names.includes(name))
  if (found !== undefined) return found
  const names = images.flatMap((image) => image.names)
  const shown = `${file.format}:${file.path}`
  throw usageError(
    name === undefined ? `${shown} holds ${images.length} images` : `${shown} holds no image "${name}"`,
    {
      next:
        names.length === 0
          ? 'they have no names: save them one by one'
          : `name one of ${names.slice(0, 20).join(', ')} behind it, as in ${shown}:${names[0] ?? ''}`,
    },
  )
}

// --- internal ---

const INDEX_LIMIT = 16 * 1024 * 1024

/** A file that is open only while it is read: an export may name hundreds. */
async function lazyFile(path: string): Promise<RandomReader> {
  const { size } = await stat(path)
  const read = async function* (start: number, length: number): Bytes {
    const file = await openFile(path)
    try {
      yield* file.read(start, length)
    } finally {
      await file.close()
    }
  }
  // A folder is refused when it is opened.
  await (await openFile(path)).close()
  return { size, read, close: () => Promise.resolve() }
}

/** An OCI layout in a folder, read as if it were packed. */
async function folderArchive(folder: string): Promise<ArchiveReader> {
  const algorithms = await readdir(join(folder, 'blobs', 'sha256')).catch((cause: unknown) => {
    throw usageError('it is no OCI layout: it has no folder blobs/sha256', { cause })
  })
  const paths = ['index.json', ...algorithms.map((name) => `blobs/sha256/${name}`)]
  const entries = new Map<string, PlacedEntry>()
  for (const path of paths) {
    const { size } = await stat(join(folder, path))
    entries.set(path, { path, size, headerAt: 0, dataAt: BLOCK })
  }
  const read = async function* (path: string, start = 0): Bytes {
    const file = await openFile(join(folder, path))
    try {
      if (start < file.size) yield* file.read(start, file.size - start)
    } finally {
      await file.close()
    }
  }
  const readAll = async (path: string, limit = INDEX_LIMIT): Promise<Uint8Array> => {
    if ((entries.get(path)?.size ?? 0) > limit) throw usageError(`its ${path} has more than ${limit} bytes`)
    return readFile(join(folder, path))
  }
  return { entries, read, readAll }
}

/** https://github.com/opencontainers/image-spec/blob/main/image-layout.md */
async function layoutImages(archive: ArchiveReader, { format }: ImageFile): Promise<LocalImages> {
  if (!archive.entries.has('index.json')) {
    const isDocker = archive.entries.has('manifest.json')
    throw usageError('it is no OCI layout: it has no index.json', {
      next: isDocker ? 'it is what docker save writes: take it with docker-archive:' : 'name an OCI layout',
    })
  }
  const index = parseObject(await archive.readAll('index.json', INDEX_LIMIT))
  const manifests: unknown = index?.['manifests']
  if (!Array.isArray(manifests)) throw usageError('its index.json cannot be read')
  const source = sourceOf(archive)
  const images = manifests.filter(isObject).map((item): LocalImage => {
    const { digest, mediaType, annotations } = item
    const notes = isObject(annotations) ? annotations : {}
    const names = [notes[CONTAINERD_NAME], notes[REF_NAME]].filter((name) => typeof name === 'string')
    return {
      names: [...new Set(names)],
      async manifest() {
        const raw = await source.resolve(parseDigest(digest, 'index.json'))
        return typeof mediaType === 'string'
          ? { raw: raw.raw, descriptor: { ...raw.descriptor, mediaType } }
          : raw
      },
    }
  })
  if (images.length === 0) throw usageError(`its index.json lists no image (${format})`)
  return { images, source }
}
