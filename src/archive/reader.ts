import { PIECE, release } from '../lib/bytes/buffers.ts'
import { collect, type Bytes, type FilePart, type RandomReader } from '../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../lib/errors.ts'
import { nameParts, partsAt } from './volumes/reader.ts'
import { BLOCK, decodeHeader, encodeHeader, place, type Entry, type PlacedEntry } from './tar.ts'

/** Reads entries straight out of the tar by offset; nothing is extracted. */
export interface ArchiveReader {
  readonly entries: ReadonlyMap<string, PlacedEntry>
  /**
   * Content of an entry from byte `start` on, its header checked first. The caller verifies the digest.
   * @param length of a part that the caller knows already: no more is read, nor the header again
   */
  read(path: string, start?: number, length?: number): Bytes
  /** Small content, whole; more than `limit` bytes are refused. */
  readAll(path: string, limit?: number): Promise<Uint8Array>
  /** The volumes it is made of, when there are several. */
  readonly parts?: readonly FilePart[]
}

/** Small entries (bundle.json, index.json, manifests) are read whole; beyond this something is wrong. */
const SMALL = 256 * 1024 * 1024

const ZEROS = new Uint8Array(PIECE)

/** The first entry of an archive. */
export interface First {
  readonly content: Uint8Array
  /** Whether its header is the one we write; other tools' have owners and times. */
  readonly own: boolean
}

/** The first entry, when it is `path`: how a bundle is recognised among other tars. */
export async function readFirst(file: RandomReader, path: string, limit = SMALL): Promise<First | undefined> {
  if (file.size < BLOCK) return undefined
  const { block, header } = (await sniff(file)) ?? {}
  if (header?.path !== path || header.size === undefined || header.type !== 'File') return undefined
  const { size } = header
  if (size > limit) throw integrityError(`"${path}" claims ${size} bytes; at most ${limit} are read`)
  if (BLOCK + size > file.size) throw truncated(file.size, BLOCK + size)
  return {
    content: await collect(file.read(BLOCK, size)),
    own: block !== undefined && isOurHeader(block, { path, size }),
  }
}

/** Our own headers have one form only, so that a single flipped bit in one is found. */
export function isOurHeader(block: Uint8Array, { path, size }: Entry): boolean {
  try {
    return Buffer.compare(block, encodeHeader({ path, size })) === 0
  } catch (error) {
    // A name that fits into no header is none that we wrote.
    if (error instanceof BundleError) return false
    throw error
  }
}

/** An archive whose list of entries is known: offsets are computed, and the file must be as long as the list says. */
export function openArchive(file: RandomReader, entries: readonly Entry[]): ArchiveReader {
  const placement = place(entries)
  if (file.size < placement.size) throw truncated(file.size, placement.size)
  return readerOf(file, placement.entries, isOurHeader)
}

/** Entries that were found where they lie. `isHeaderOf` looks at each header once more when its entry is read. */
export function readerOf(
  file: RandomReader,
  placed: readonly PlacedEntry[],
  isHeaderOf?: (block: Uint8Array, entry: PlacedEntry) => boolean,
): ArchiveReader {
  const entries = new Map(placed.map((entry) => [entry.path, entry]))
  const read = async function* (path: string, start = 0, length?: number): Bytes {
    const entry = entries.get(path)
    if (entry === undefined) throw integrityError(`"${path}" is not in the bundle`)
    if (length !== undefined) {
      if (start < entry.size) yield* file.read(entry.dataAt + start, Math.min(length, entry.size - start))
      return
    }
    if (isHeaderOf === undefined) {
      if (start < entry.size) yield* file.read(entry.dataAt + start, entry.size - start)
      return
    }
    const check = (header: Uint8Array): void => {
      if (isHeaderOf(header, entry)) return
      throw integrityError(`the bundle is damaged: entry "${path}" is not at byte ${entry.headerAt}`, {
        ...(file.parts === undefined ? {} : { where: placeIn({ entries, ...file }, path) }),
        next: 'copy or export the bundle again',
      })
    }
    // In one read from its beginning: where reading means a request, it is half as many.
    if (start === 0) yield* behindHeader(file.read(entry.headerAt, BLOCK + entry.size), check)
    else {
      check(await collect(file.read(entry.headerAt, BLOCK)))
      if (start < entry.size) yield* file.read(entry.dataAt + start, entry.size - start)
    }
  }
  return {
    entries,
    read,
    ...(file.parts === undefined ? {} : { parts: file.parts }),
    async readAll(path, limit = SMALL) {
      const size = entries.get(path)?.size ?? 0
      if (size > limit)
        throw integrityError(`"${path}" has ${size} bytes; at most ${limit} are read into memory`)
      return collect(read(path))
    },
  }
}

/** For messages: `bundle`, or the names of the volumes in which an entry lies. */
export function placeIn({ entries, parts }: Pick<ArchiveReader, 'entries' | 'parts'>, path: string): string {
  const { headerAt, dataAt, size } = entries.get(path) ?? { headerAt: 0, dataAt: 0, size: 0 }
  return parts === undefined ? 'bundle' : nameParts(partsAt(parts, headerAt, dataAt - headerAt + size))
}

/**
 * One truth in a file: behind its last entry there are only zeros, as the end mark, tapes and pipes have them. Other
 * programs read on there, and would find other files under the same names.
 * @param end behind the last entry and its padding
 * @throws an integrity error that says where the first other byte is
 */
export async function refuseTail(file: RandomReader, end: number): Promise<void> {
  const size = file.size - end
  const lacks = partsAt(file.parts ?? [], end, size).some(({ fault }) => fault !== undefined)
  if (size <= 0 || lacks) return
  let at = end
  for await (const piece of file.read(end, size)) {
    const found =
      Buffer.compare(piece, ZEROS.subarray(0, piece.length)) === 0
        ? -1
        : piece.findIndex((byte) => byte !== 0)
    if (found >= 0) {
      throw integrityError(`bytes that belong to no entry follow its last one, from byte ${at + found} on`, {
        next: 'do not use it before you know who added them; "ma-bundle verify --repair-from" cuts them off',
      })
    }
    at += piece.length
    release(piece)
  }
}

export const truncated = (size: number, needed: number) =>
  integrityError(`the bundle is cut off: it has ${size} bytes and needs ${needed}`, {
    next: 'copy it again, and compare the sizes on both sides',
  })

// --- internal ---

/** What follows the header, once that is checked. */
async function* behindHeader(bytes: Bytes, check: (header: Uint8Array) => void): Bytes {
  let header: Uint8Array = new Uint8Array()
  for await (const piece of bytes) {
    if (header.length === BLOCK) {
      yield piece
      continue
    }
    const wanted = BLOCK - header.length
    header =
      header.length === 0 ? piece.subarray(0, wanted) : Buffer.concat([header, piece.subarray(0, wanted)])
    if (header.length < BLOCK) continue
    check(header)
    if (piece.length > wanted) yield piece.subarray(wanted)
  }
}

/** The first header, or nothing when the file does not begin with one. */
async function sniff(file: RandomReader) {
  try {
    const block = await collect(file.read(0, BLOCK))
    const header = decodeHeader(block)
    return header === undefined ? undefined : { block, header }
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'integrity') return undefined
    throw error
  }
}
