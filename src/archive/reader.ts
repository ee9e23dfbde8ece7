import { bytesOf, collect, type Bytes, type RandomReader } from '../lib/bytes.ts'
import { BundleError, integrityError } from '../lib/errors.ts'
import { BLOCK, decodeHeader, encodeHeader, padded, place, type Entry, type Placed } from './tar.ts'

/** Reads entries straight out of the tar by offset; nothing is extracted. */
export interface ArchiveReader {
  readonly entries: ReadonlyMap<string, Placed>
  /** Content of an entry from byte `start` on, its header checked first. The caller verifies the digest. */
  read(path: string, start?: number): Bytes
  /** Small content, whole. */
  readAll(path: string): Promise<Uint8Array>
}

/** Small entries (bundle.json, index.json, manifests) are read whole; beyond this something is wrong. */
const SMALL = 256 * 1024 * 1024

/** The first entry, when it is `path`: how a bundle is told from any other tar. */
export async function readFirst(
  file: RandomReader,
  path: string,
  limit = SMALL,
): Promise<Uint8Array | undefined> {
  if (file.size < BLOCK) return undefined
  const header = await sniff(file)
  if (header?.path !== path || header.size === undefined || header.type !== 'File') return undefined
  if (header.size > limit)
    throw integrityError(`"${path}" claims ${header.size} bytes; at most ${limit} are read`)
  if (BLOCK + header.size > file.size) throw truncated(file.size, BLOCK + header.size)
  return collect(file.read(BLOCK, header.size))
}

/** An archive whose list of entries is known: offsets are computed, and the file must be as long as the list says. */
export function openArchive(file: RandomReader, entries: readonly Entry[]): ArchiveReader {
  const placement = place(entries)
  if (file.size < placement.size) throw truncated(file.size, placement.size)
  return readerOf(file, placement.entries, isOurHeader)
}

/** A foreign tar: walks its headers. Links, devices, sparse files, traversal and doubled names are refused. */
export async function scanArchive(file: RandomReader, maxEntries = 100_000): Promise<ArchiveReader> {
  const found: Placed[] = []
  const seen = new Set<string>()
  let at = 0
  while (at + BLOCK <= file.size) {
    const header = await headerAt(file, at)
    if (header === undefined) break
    const { path = '', size = 0, type } = header
    if (found.length >= maxEntries) throw integrityError(`the archive has more than ${maxEntries} entries`)
    if (size < 0 || !Number.isSafeInteger(size))
      throw integrityError(`entry "${path}" has an impossible size`)
    const dataAt = at + BLOCK
    if (dataAt + size > file.size) throw truncated(file.size, dataAt + size)
    if (type === 'File' || type === 'OldFile' || type === 'ContiguousFile') {
      const name = path.replace(/^(?:\.\/)+/, '')
      if (name.startsWith('/') || name.split('/').includes('..')) {
        throw integrityError(`entry "${path}" points outside the archive`)
      }
      if (seen.has(name)) throw integrityError(`entry "${name}" is there twice`)
      seen.add(name)
      found.push({ path: name, size, headerAt: at, dataAt })
    } else if (type !== 'Directory' && type !== 'GlobalExtendedHeader') {
      throw integrityError(`entry "${path}" is of type ${type}; an image layout holds only files`)
    }
    at = dataAt + padded(size)
  }
  return readerOf(file, found, isSameEntry)
}

// --- internal ---

/** Our own headers have one form only, so that a single flipped bit in one is found. */
const isOurHeader = (block: Uint8Array, entry: Placed): boolean => Buffer.compare(block, encodeHeader(entry)) === 0

const isSameEntry = (block: Uint8Array, entry: Placed): boolean => {
  const header = decodeHeader(block)
  return header?.path?.replace(/^(?:\.\/)+/, '') === entry.path && header.size === entry.size
}

function readerOf(
  file: RandomReader,
  placed: readonly Placed[],
  isHeaderOf: (block: Uint8Array, entry: Placed) => boolean,
): ArchiveReader {
  const entries = new Map(placed.map((entry) => [entry.path, entry]))
  const read = async function* (path: string, start = 0): Bytes {
    const entry = entries.get(path)
    if (entry === undefined) throw integrityError(`"${path}" is not in the bundle`)
    if (!isHeaderOf(await collect(file.read(entry.headerAt, BLOCK)), entry)) {
      throw integrityError(`the bundle is damaged: entry "${path}" is not at byte ${entry.headerAt}`, {
        next: 'copy or export the bundle again',
      })
    }
    if (start >= entry.size) yield* bytesOf(new Uint8Array())
    else yield* file.read(entry.dataAt + start, entry.size - start)
  }
  return {
    entries,
    read,
    async readAll(path) {
      const size = entries.get(path)?.size ?? 0
      if (size > SMALL)
        throw integrityError(`"${path}" has ${size} bytes; at most ${SMALL} are read into memory`)
      return collect(read(path))
    },
  }
}

/** The first header, or nothing when the file does not begin with one. */
async function sniff(file: RandomReader) {
  try {
    return await headerAt(file, 0)
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'integrity') return undefined
    throw error
  }
}

const headerAt = async (file: RandomReader, at: number) => decodeHeader(await collect(file.read(at, BLOCK)))

const truncated = (size: number, needed: number) =>
  integrityError(`the bundle is cut off: it has ${size} bytes and needs ${needed}`, {
    next: 'copy it again, and compare the sizes on both sides',
  })
