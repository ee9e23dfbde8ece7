import { collect, type Bytes } from '../lib/bytes/bytes.ts'
import { integrityError } from '../lib/errors.ts'
import type { SequentialReader } from '../lib/bytes/sequential.ts'
import { isOurHeader } from './reader.ts'
import { BLOCK, decodeHeader, END_MARK, padded, type Placement, type PlacedEntry } from './tar.ts'

/** An archive of ours that comes in order, once. */
export interface OrderedArchive {
  /** Content of the next entry wanted, its header checked. What was left unread before it is passed over. */
  open(entry: PlacedEntry): Promise<Bytes>
  /** Reads to the end: the mark, and zeros at most behind it, as tapes and pipes of fixed blocks add. */
  end(): Promise<void>
}

/** Content of the first entry, when it is `path` as we write it; undefined for any other beginning. */
export async function readFirstInOrder(
  reader: SequentialReader,
  path: string,
  limit: number,
): Promise<Uint8Array | undefined> {
  const block = await collect(reader.read(BLOCK))
  if (block.length === 0) {
    throw integrityError('nothing came through the pipe', { next: SEE })
  }
  if (block.length < BLOCK || !startsWith(block, path)) return undefined
  const size = decodeHeader(block)?.size ?? 0
  if (!isOurHeader(block, { path, size })) return undefined
  if (size > limit) throw integrityError(`"${path}" claims ${size} bytes; at most ${limit} are read`)
  const content = await collect(reader.read(size))
  if (content.length < size) throw cutOff(reader.at, path)
  return content
}

/** What lies between entries, or stands in the place of a header, and is not as we write it. */
export interface FrameDamage {
  readonly path: string
  /** Bytes. */
  readonly offset: number
  readonly size: number
  readonly reason: string
}

/**
 * @param reader stands behind the content of the first entry
 * @param onDamage called with headers and padding that are wrong, when all content is read; else a wrong header throws
 */
export function openInOrder(
  reader: SequentialReader,
  { entries, size }: Placement,
  onDamage?: (damage: FrameDamage) => void,
): OrderedArchive {
  const last = entries.at(-1)
  const passTo = async (offset: number, what: string): Promise<void> => {
    const from = reader.at
    let isClean = true
    for await (const piece of reader.read(offset - from)) isClean &&= onDamage === undefined || isZero(piece)
    if (reader.at < offset) throw cutOff(reader.at, what, size)
    if (isClean || onDamage === undefined) return
    const reason = 'bytes that belong to no entry are not zero'
    onDamage({ path: `(padding before ${what})`, offset: from, size: offset - from, reason })
  }
  return {
    async open(entry) {
      const { path, headerAt } = entry
      await passTo(headerAt, path)
      const block = await collect(reader.read(BLOCK))
      if (block.length < BLOCK) throw cutOff(reader.at, path, size)
      if (!isOurHeader(block, entry)) {
        if (onDamage === undefined) throw misplaced(entry)
        onDamage({
          path,
          offset: headerAt,
          size: entry.size,
          reason: 'its header is not as export writes it',
        })
      }
      return content(entry)
    },
    async end() {
      if (last !== undefined) await passTo(last.dataAt + padded(last.size), 'its end mark')
      let behind = 0
      for await (const piece of reader.read(Infinity)) {
        behind += piece.length
        if (isZero(piece)) continue
        throw integrityError(`the pipe continues after the end of the bundle, which has ${size} bytes`, {
          next: 'send the bundle alone; everything that belongs to it has come',
        })
      }
      if (behind < END_MARK) throw cutOff(reader.at, 'its end mark', size)
    },
  }

  async function* content({ path, size: length }: PlacedEntry): Bytes {
    let left = length
    for await (const piece of reader.read(length)) {
      left -= piece.length
      yield piece
    }
    if (left > 0) throw cutOff(reader.at, path, size)
  }
}

// --- internal ---

const SEE = 'see what the sending side says, and run both again: what is there by then is not pushed again'

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

const misplaced = ({ path, headerAt }: PlacedEntry) =>
  integrityError(`what comes through the pipe is damaged: "${path}" is not at byte ${headerAt}`, {
    next: 'send it again; a bundle that another program packed can be read from a file only',
  })

const cutOff = (at: number, what: string, size?: number) =>
  integrityError(
    `the pipe ended after ${at} bytes${size === undefined ? '' : ` of ${size}`}, before ${what} was whole`,
    { next: SEE },
  )

/** Whether a header block names this file; other blocks may be anything. */
const startsWith = (block: Uint8Array, path: string): boolean =>
  new TextDecoder().decode(block.subarray(0, path.length + 1)) === `${path}\0`
