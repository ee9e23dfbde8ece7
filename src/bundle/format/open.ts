import { openArchive, placeIn, readFirst, refuseTail, type ArchiveReader } from '../../archive/reader.ts'
import { scanArchive } from '../../archive/scan.ts'
import { padded } from '../../archive/tar.ts'
import { bytesOf, collect, type RandomReader } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import type { RawManifest, Source } from '../../oci/content.ts'
import { digestOf, parseDigest, type Digest } from '../../oci/digest.ts'
import { isObject, mediaTypeOf, parseObject, MANIFEST_LIMIT } from '../../oci/manifest.ts'
import { verified } from '../../oci/verify.ts'
import { CONTENTS_LIMIT, decodeContents, type Contents, type RootContents } from './contents.ts'
import { CONTAINERD_NAME, REF_NAME } from './oci-layout.ts'
import { blobPath, HEAD } from './plan.ts'
import { checkRootNames } from './check-names.ts'
import { parseSums, readSums, SUMS } from './sums.ts'

/** A bundle opened for reading. */
export interface Bundle {
  /** What it lists; undefined for an OCI layout tar of another tool. */
  readonly contents: Contents | undefined
  readonly roots: readonly RootContents[]
  readonly archive: ArchiveReader
  readonly source: Source
  /** Whether the tar is as `export` wrote it; false once another program packed it again. */
  readonly own: boolean
  /** SHA256SUMS, as `contents` were compared with it. Undefined for a layout of another tool. */
  readonly sums?: Uint8Array
  /** Small content that is known by path only (charts, the lock), compared with SHA256SUMS. */
  content(path: string): Promise<Uint8Array>
}

/**
 * Opens a bundle, or any tar that is an OCI layout, wherever its bytes lie.
 * @throws an integrity error when it is neither, is cut off, or holds more than its table says
 */
export async function openBundle(file: RandomReader): Promise<Bundle> {
  return open(file, true)
}

/** The same of a bundle that may hold more than its table says, to report or repair that. */
export async function openOversized(file: RandomReader): Promise<Bundle> {
  return open(file, false)
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
      const raw = await collect(verified(archive.read(path), { digest, size }, placeIn(archive, path)))
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

/** @throws an integrity error when SHA256SUMS does not know this list */
export async function bundleOf(
  archive: ArchiveReader,
  contents: Contents,
  head: Uint8Array,
  own: boolean,
): Promise<Bundle> {
  const raw = archive.entries.has(SUMS) ? await archive.readAll(SUMS, CONTENT_LIMIT) : new Uint8Array()
  const sums = parseSums(new TextDecoder().decode(raw))
  if (sums.get(HEAD) !== digestOf(head)) {
    throw integrityError(`the bundle is damaged: ${HEAD} is not what SHA256SUMS says`, {
      next: 'copy or export the bundle again',
    })
  }
  checkRootNames(contents.roots, HEAD)
  return {
    contents,
    roots: contents.roots,
    archive,
    source: sourceOf(archive),
    own,
    sums: raw,
    content: contentOf(archive, sums),
  }
}

// --- internal ---

async function open(file: RandomReader, strict: boolean): Promise<Bundle> {
  const head = await readFirst(file, HEAD, CONTENTS_LIMIT)
  if (head?.own !== true) return openScanned(file, strict)
  const contents = decodeContents(head.content)
  const archive = openArchive(file, [{ path: HEAD, size: head.content.length }, ...contents.entries])
  const last = [...archive.entries.values()].at(-1)
  if (strict && last !== undefined) await refuseTail(file, last.dataAt + padded(last.size))
  return bundleOf(archive, contents, head.content, true)
}

const contentOf =
  (archive: ArchiveReader, sums: ReadonlyMap<string, Digest>) =>
  async (path: string): Promise<Uint8Array> => {
    const digest = sums.get(path)
    const size = archive.entries.get(path)?.size ?? 0
    if (size > CONTENT_LIMIT)
      throw integrityError(`"${path}" has ${size} bytes; at most ${CONTENT_LIMIT} are read`)
    if (digest === undefined) throw integrityError(`SHA256SUMS does not list "${path}"`)
    return collect(verified(archive.read(path), { digest, size }, `${placeIn(archive, path)}, ${path}`))
  }

/** Charts are small; what is larger is not read whole. */
const CONTENT_LIMIT = 128 * 1024 * 1024
const INDEX_LIMIT = 16 * 1024 * 1024

const MAGIC_BYTES = 6

/** Bundles are not compressed, since layers are already; people and gateways do it all the same. */
const PACKERS: readonly {
  readonly name: string
  readonly magic: readonly number[]
  readonly unpack: string
}[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], unpack: 'gunzip' },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: 'zstd -d' },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], unpack: 'unxz' },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68], unpack: 'bunzip2' },
  { name: 'zip', magic: [0x50, 0x4b, 0x03, 0x04], unpack: 'unzip' },
]

const notOne = (why: string) =>
  integrityError(`not a bundle: ${why}`, {
    next: 'name a file that "ma-bundle export" wrote, or a tar of an OCI image layout',
  })

/** What `docker save` writes beside its layers, which it may link to. */
const DOCKER_LIST = 'manifest.json'

async function isDockerArchive(file: RandomReader): Promise<boolean> {
  try {
    return (await scanArchive(file, { onLink: () => undefined })).entries.has(DOCKER_LIST)
  } catch (error) {
    if (error instanceof BundleError) return false
    throw error
  }
}

const dockerArchive = () =>
  integrityError('not a bundle but what docker save writes', {
    next: 'put its images into a bundle: ma-bundle export <bundle> docker-archive:<this file>',
  })

/** A tar of another program: a bundle that was unpacked and packed again, or a layout that was never ours. */
async function openScanned(file: RandomReader, strict: boolean): Promise<Bundle> {
  const start = await collect(file.read(0, Math.min(file.size, MAGIC_BYTES)))
  const packer = PACKERS.find(({ magic }) => magic.every((byte, at) => start[at] === byte))
  if (packer !== undefined)
    throw integrityError(`not a bundle as it is: it is compressed with ${packer.name}`, {
      next: `unpack it first: ${packer.unpack}`,
    })
  const archive = await scanArchive(file, { tail: strict ? 'zeros' : 'any' }).catch(
    async (error: unknown) => {
      if (await isDockerArchive(file)) throw dockerArchive()
      throw notOne(error instanceof Error ? error.message : 'it is not a tar')
    },
  )
  if (!archive.entries.has(HEAD)) {
    // Two bytes of its name may have changed places, which the sum in a header does not show.
    if ((await readSums(archive)).has(HEAD))
      throw notOne(`it is damaged, as ${HEAD} is not at byte 0, where SHA256SUMS has it`)
    return openLayout(archive)
  }
  const head = await archive.readAll(HEAD, CONTENTS_LIMIT)
  const contents = decodeContents(head)
  for (const { path, size } of contents.entries) {
    const found = archive.entries.get(path)
    if (found?.size === size) continue
    throw integrityError(
      `the bundle is damaged: "${path}" should have ${size} bytes and ${found === undefined ? 'is not there' : `has ${found.size}`}`,
      { next: 'copy or export the bundle again' },
    )
  }
  const listed = new Set([HEAD, ...contents.entries.map(({ path }) => path)])
  const unknown = [...archive.entries.keys()].find((path) => !listed.has(path))
  if (strict && unknown !== undefined) {
    throw integrityError(`it holds ${JSON.stringify(unknown)}, which ${HEAD} does not list`, {
      next: 'do not use it before you know who added that; pack it again without it, or copy the bundle again',
    })
  }
  return bundleOf(archive, contents, head, false)
}

async function openLayout(archive: ArchiveReader): Promise<Bundle> {
  if (!archive.entries.has('oci-layout') || !archive.entries.has('index.json')) {
    throw archive.entries.has(DOCKER_LIST)
      ? dockerArchive()
      : notOne('it has neither bundle.json nor an OCI layout')
  }
  const index = parseObject(await archive.readAll('index.json', INDEX_LIMIT))
  if (index === undefined || !Array.isArray(index['manifests'])) throw notOne('its index.json cannot be read')
  const manifests: readonly unknown[] = index['manifests']
  const roots = manifests.flatMap((item): RootContents[] => {
    if (!isObject(item)) return []
    const { digest, size, mediaType, annotations } = item
    const name = isObject(annotations) ? (annotations[CONTAINERD_NAME] ?? annotations[REF_NAME]) : undefined
    if (typeof name !== 'string' || typeof size !== 'number' || typeof mediaType !== 'string') return []
    return [
      { kind: 'image', name, digest: parseDigest(digest, 'index.json'), size, mediaType, platforms: [] },
    ]
  })
  if (roots.length === 0) throw notOne(`its index.json names no image (annotation ${REF_NAME})`)
  checkRootNames(roots, 'index.json')
  const nothing = contentOf(archive, new Map())
  return { contents: undefined, roots, archive, source: sourceOf(archive), own: false, content: nothing }
}
