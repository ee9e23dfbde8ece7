import { Header } from 'tar'
import { integrityError, messageOf, usageError } from '../lib/errors.ts'

/** A file of the archive. */
export interface Entry {
  /** ASCII, relative, `/`-separated. */
  readonly path: string
  /** Bytes of content. */
  readonly size: number
}

/** An entry with its place: the header at `headerAt`, the content right behind it at `dataAt`. */
export interface PlacedEntry extends Entry {
  readonly headerAt: number
  readonly dataAt: number
}

export interface Placement {
  /** In the order of the archive. */
  readonly entries: readonly PlacedEntry[]
  /** Bytes of the whole archive, its end mark included. */
  readonly size: number
}

export const BLOCK = 512
/** Two zero blocks: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html (ustar) */
export const END_MARK = 2 * BLOCK

/** Where each entry lies. Both sides compute it from the list of entries; offsets are never stored. */
export function place(entries: readonly Entry[]): Placement {
  let at = 0
  const placed = entries.map((entry): PlacedEntry => {
    const headerAt = at
    at += BLOCK + padded(entry.size)
    return { ...entry, headerAt, dataAt: headerAt + BLOCK }
  })
  return { entries: placed, size: at + END_MARK }
}

export const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK

/** Programs lie at the top and are called after this one; `tar x` leaves them ready to be started. */
const PROGRAM = /^ma-bundle(?:-[a-z0-9]+)?$/

/**
 * Exactly one block, without owner, time or any extension, so that equal content makes equal archives.
 * Sizes from 8 GiB on are written in base 256, which GNU tar, bsdtar, Go and Python all read.
 */
export function encodeHeader({ path, size }: Entry): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  const header = new Header({
    path,
    size,
    mode: PROGRAM.test(path) ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    mtime: new Date(0),
    type: 'File',
  })
  header.encode(block, 0)
  const back = new Header(block, 0)
  if (back.path !== path || back.size !== size) {
    throw usageError(`the name "${path}" does not fit into a tar header`, {
      next: 'use a shorter name, of ASCII letters, digits and . _ - /',
    })
  }
  return block
}

/**
 * What a header block says; undefined for a block of zeros (the end, or an entry not yet written).
 * @param byte where the block lies in the file, for errors
 */
export function decodeHeader(block: Uint8Array, at = 0, byte = at): Header | undefined {
  const buffer = Buffer.from(block.buffer, block.byteOffset, block.byteLength)
  if (buffer.subarray(at, at + BLOCK).every((each) => each === 0)) return undefined
  const header = parse(buffer, at, byte)
  if (!header.cksumValid)
    throw integrityError(`the tar header at byte ${byte} is damaged: its checksum is wrong`)
  return header
}

// --- internal ---

/** The library throws its own errors at sizes beyond 2^53. */
function parse(buffer: Buffer, at: number, byte: number): Header {
  try {
    return new Header(buffer, at)
  } catch (cause) {
    throw integrityError(`the tar header at byte ${byte} is damaged: ${messageOf(cause)}`, { cause })
  }
}
