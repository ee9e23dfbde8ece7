import { openInOrder, readFirstInOrder, type OrderedArchive } from '../../archive/sequential-reader.ts'
import type { ArchiveReader } from '../../archive/reader.ts'
import { place, type PlacedEntry } from '../../archive/tar.ts'
import { release } from '../../lib/bytes/buffers.ts'
import { bytesOf, collect, type Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import { readInOrder } from '../../lib/bytes/sequential.ts'
import { isDigest, type Digest } from '../../oci/digest.ts'
import { isManifest } from '../../oci/media-types.ts'
import { mediaTypeOf, parseManifest, parseObject } from '../../oci/manifest.ts'
import { verified } from '../../oci/verify.ts'
import { CONTENTS_LIMIT, decodeContents, type Contents } from '../format/contents.ts'
import { bundleOf, type Bundle } from '../format/open.ts'
import { blobPath, HEAD } from '../format/plan.ts'
import { SUMS } from '../format/sums.ts'

/** A bundle that comes in order, once. */
export interface BundlePipe {
  /**
   * What came first: the table, and every manifest. Charts join it while the rest is read; layers never do.
   */
  readonly bundle: Bundle
  readonly contents: Contents
  /** Bytes of the whole bundle. */
  readonly size: number
  /** The blobs behind, in order. What is not read of one is passed over. Ends when the whole bundle has come. */
  rest(): AsyncGenerator<PipedBlob>
}

export interface PipedBlob {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** Not verified. */
  readonly content: Bytes
}

/** Manifests, configs and charts are small; a bundle whose small things take more memory is read from a file. */
const LIMIT = 48 * 1024 * 1024

/**
 * Opens a bundle that comes through a pipe, as far as its manifests reach. Memory is bounded.
 * @throws an integrity error for anything that `export` does not write, and for what ends too soon
 */
export async function openBundlePipe(bytes: Bytes): Promise<BundlePipe> {
  const reader = readInOrder(bytes)
  const head = await readFirstInOrder(reader, HEAD, CONTENTS_LIMIT)
  if (head === undefined) throw notFromExport()
  const contents = decodeContents(head)
  const first = { path: HEAD, size: head.length }
  const placement = place([first, ...contents.entries])
  const [headEntry, ...entries] = placement.entries
  const archive = openInOrder(reader, placement)
  const memory = createMemory()
  if (headEntry !== undefined) memory.put(headEntry, head)
  const seen = await readManifests(archive, contents, entries, memory)
  const bundle = await bundleOf(memory.archive, contents, head, true)
  // People take them out and run them.
  const programs = new Map((contents.programs ?? []).map((program) => [program.path, program]))
  return { bundle, contents, size: placement.size, rest }

  async function* rest(): AsyncGenerator<PipedBlob> {
    for (const entry of entries.slice(seen)) {
      if (entry.path.startsWith('charts/')) {
        memory.put(entry, await collect(await archive.open(entry)))
        continue
      }
      const program = programs.get(entry.path)
      if (program !== undefined)
        await drain(verified(await archive.open(entry), program, `bundle, ${entry.path}`))
      const digest = digestIn(entry.path)
      if (digest !== undefined) yield { digest, size: entry.size, content: await archive.open(entry) }
    }
    await archive.end()
  }
}

export const notFromExport = (): BundleError =>
  integrityError('not a bundle as "ma-bundle export" writes it', {
    next: 'send what export wrote, unchanged; a bundle that another program packed can be read from a file only',
  })

// --- internal ---

async function drain(content: Bytes): Promise<void> {
  for await (const piece of content) release(piece)
}

const digestIn = (path: string): Digest | undefined => {
  const digest = path.replace(/^blobs\/sha256\//, 'sha256:')
  return isDigest(digest) ? digest : undefined
}

/** @returns how many entries it took until every manifest was there */
async function readManifests(
  archive: OrderedArchive,
  { roots }: Contents,
  entries: readonly PlacedEntry[],
  memory: Memory,
): Promise<number> {
  const listed = new Set(entries.map(({ path }) => path))
  const known = new Set<Digest>()
  const lacking = new Map<Digest, string>()
  const want = (digest: Digest, mediaType: string): void => {
    if (known.has(digest) || !listed.has(blobPath(digest))) return
    known.add(digest)
    const raw = memory.get(blobPath(digest))
    if (raw === undefined) lacking.set(digest, mediaType)
    else found(digest, mediaType, raw)
  }
  const found = (digest: Digest, mediaType: string, raw: Uint8Array): void => {
    lacking.delete(digest)
    for (const child of childrenOf(raw, digest, mediaType)) {
      if (isManifest(child.mediaType)) want(child.digest, child.mediaType)
    }
  }
  for (const root of roots) if (root.kind !== 'file') want(root.digest, root.mediaType)
  for (const [at, entry] of entries.entries()) {
    const { path, size } = entry
    if (lacking.size === 0 && memory.get(SUMS) !== undefined) return at
    const digest = digestIn(path)
    const content = await archive.open(entry)
    memory.room(entry)
    const raw = await collect(digest === undefined ? content : verified(content, { digest, size }, 'bundle'))
    memory.put(entry, raw)
    const mediaType = digest === undefined ? undefined : lacking.get(digest)
    if (digest !== undefined && mediaType !== undefined) found(digest, mediaType, raw)
  }
  return entries.length
}

/** What cannot be read fails its own root, later and in its own words. */
function childrenOf(raw: Uint8Array, digest: Digest, mediaType: string) {
  const own = mediaTypeOf(parseObject(raw) ?? {}, mediaType)
  try {
    return parseManifest({ descriptor: { mediaType: own, digest, size: raw.length }, raw }).manifests
  } catch (error) {
    if (error instanceof BundleError) return []
    throw error
  }
}

interface Memory {
  readonly archive: ArchiveReader
  get(path: string): Uint8Array | undefined
  /** @throws when it does not fit */
  room(entry: PlacedEntry): void
  put(entry: PlacedEntry, content: Uint8Array): void
}

function createMemory(): Memory {
  const entries = new Map<string, PlacedEntry>()
  const contents = new Map<string, Uint8Array>()
  let held = 0
  const read = (path: string, start?: number): Bytes => {
    const content = contents.get(path)
    if (content === undefined) throw integrityError(`"${path}" is not in the bundle`)
    return bytesOf(content, start)
  }
  const room = ({ path, size }: PlacedEntry): void => {
    if (held + size <= LIMIT) return
    throw integrityError(
      `what is read into memory from a pipe is more than ${formatBytes(LIMIT)}: "${path}" has ${formatBytes(size)}`,
      { next: 'write the bundle into a file and import that' },
    )
  }
  return {
    archive: { entries, read, readAll: (path) => collect(read(path)) },
    get: (path) => contents.get(path),
    room,
    put(entry, content) {
      room(entry)
      held += entry.size
      entries.set(entry.path, entry)
      contents.set(entry.path, content)
    },
  }
}
