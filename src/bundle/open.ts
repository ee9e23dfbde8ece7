import { openArchive, readFirst, scanArchive, type ArchiveReader } from '../archive/reader.ts'
import { bytesOf, collect, type RandomReader } from '../lib/bytes.ts'
import { integrityError } from '../lib/errors.ts'
import type { RawManifest, Source } from '../oci/content.ts'
import { digestOf, parseDigest } from '../oci/digest.ts'
import { isObject, mediaTypeOf, parseObject, MANIFEST_LIMIT } from '../oci/manifest.ts'
import { verified } from '../oci/verify.ts'
import { CONTENTS_LIMIT, decodeContents, type Contents, type RootContents } from './contents.ts'
import { REF_NAME } from './layout.ts'
import { blobPath, HEAD } from './plan.ts'
import { readSums } from './sums.ts'

/** A bundle opened for reading. */
export interface Bundle {
  /** What it lists; undefined for an OCI layout tar of another tool. */
  readonly contents: Contents | undefined
  readonly roots: readonly RootContents[]
  readonly archive: ArchiveReader
  readonly source: Source
}

/**
 * Opens a bundle, or any tar that is an OCI layout, wherever its bytes lie.
 * @throws an integrity error when it is neither, or is cut off
 */
export async function openBundle(file: RandomReader): Promise<Bundle> {
  const head = await readFirst(file, HEAD, CONTENTS_LIMIT)
  if (head === undefined) return openLayout(file)
  const contents = decodeContents(head)
  const archive = openArchive(file, [{ path: HEAD, size: head.length }, ...contents.entries])
  const sums = await readSums(archive)
  if (sums.get(HEAD) !== digestOf(head)) {
    throw integrityError('the bundle is damaged: bundle.json is not what SHA256SUMS says', {
      next: 'copy or export the bundle again',
    })
  }
  return { contents, roots: contents.roots, archive, source: sourceOf(archive) }
}

/** Manifests and blobs of an archive by digest. Manifests are verified here, blobs by who reads them. */
export function sourceOf(archive: ArchiveReader): Source {
  return {
    async resolve(reference) {
      const digest = parseDigest(reference)
      const path = blobPath(digest)
      const size = archive.entries.get(path)?.size
      if (size === undefined) throw integrityError(`manifest ${digest} is not in the bundle`)
      if (size > MANIFEST_LIMIT)
        throw integrityError(`manifest ${digest} has ${size} bytes; registries take 4 MiB`)
      const raw = await collect(verified(archive.read(path), { digest, size }, 'bundle'))
      const mediaType = mediaTypeOf(parseObject(raw) ?? {}, '')
      return { descriptor: { mediaType, digest, size }, raw }
    },
    fetch: async (target, start) => {
      const path = blobPath(target.digest)
      const size = archive.entries.get(path)?.size
      if (size !== undefined && size !== target.size) {
        throw integrityError(
          `blob ${target.digest} has ${size} bytes in the bundle, its manifest says ${target.size}`,
        )
      }
      return target.size === 0 ? bytesOf(new Uint8Array()) : archive.read(path, start)
    },
  }
}

/** A root's manifest with the media type its table gives, which a manifest without `mediaType` does not tell itself. */
export async function rootManifest(bundle: Bundle, root: RootContents): Promise<RawManifest> {
  const found = await bundle.source.resolve(root.digest)
  if (root.kind === 'file' || found.descriptor.mediaType === root.mediaType) return found
  return { raw: found.raw, descriptor: { ...found.descriptor, mediaType: root.mediaType } }
}

// --- internal ---

async function openLayout(file: RandomReader): Promise<Bundle> {
  const notOne = (why: string) =>
    integrityError(`not a bundle: ${why}`, {
      next: 'name a file that "ma-bundle export" wrote, or a tar of an OCI image layout',
    })
  const archive = await scanArchive(file).catch((error: unknown) => {
    throw notOne(error instanceof Error ? error.message : 'it is not a tar')
  })
  if (!archive.entries.has('oci-layout') || !archive.entries.has('index.json')) {
    throw notOne('it has neither bundle.json nor an OCI layout')
  }
  const index = parseObject(await archive.readAll('index.json'))
  if (index === undefined || !Array.isArray(index['manifests'])) throw notOne('its index.json cannot be read')
  const manifests: readonly unknown[] = index['manifests']
  const roots = manifests.flatMap((item): RootContents[] => {
    if (!isObject(item)) return []
    const { digest, size, mediaType, annotations } = item
    const name = isObject(annotations) ? annotations[REF_NAME] : undefined
    if (typeof name !== 'string' || typeof size !== 'number' || typeof mediaType !== 'string') return []
    return [
      { kind: 'image', name, digest: parseDigest(digest, 'index.json'), size, mediaType, platforms: [] },
    ]
  })
  if (roots.length === 0) throw notOne(`its index.json names no image (annotation ${REF_NAME})`)
  return { contents: undefined, roots, archive, source: sourceOf(archive) }
}
