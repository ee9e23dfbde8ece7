import { createHash } from 'node:crypto'
import { placeIn, type ArchiveReader } from '../../archive/reader.ts'
import { release } from '../../lib/bytes/buffers.ts'
import { collect, type Bytes } from '../../lib/bytes/bytes.ts'
import { integrityError } from '../../lib/errors.ts'
import { createOnce } from '../../lib/once.ts'
import { createPool } from '../../lib/pool.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { blobPath } from '../format/plan.ts'

/** Blobs as they are sent: whole, or a range of bytes (`end` is behind the last). */
export type ServeBlob = (blob: Descriptor, start: number, end: number) => Bytes

/**
 * Content of which no byte is sent that was not compared: a blob is read whole once, against its digest, which leaves a
 * digest of each of its blocks; from then on every block is compared with that as it is read. The first whole reading is
 * sent at the same time, its last block held back until all is right. However slow a client is, it holds two blocks.
 */
export function createServeBlob(archive: ArchiveReader): ServeBlob {
  const tables = new Map<Digest, Uint8Array>()
  const reading = createOnce<void>()
  const readers = createPool(READERS)

  /** Sends what it reads, and leaves the table. */
  async function* first(blob: Descriptor): Bytes {
    const whole = createHash('sha256')
    const table = new Uint8Array(Math.ceil(blob.size / BLOCK) * MARK)
    let held: Uint8Array | undefined
    for (let at = 0; at < blob.size; at += BLOCK) {
      const block = await blockAt(archive, blob, at)
      whole.update(block)
      table.set(markOf(block), (at / BLOCK) * MARK)
      if (held !== undefined) yield held
      held = block
    }
    if (`sha256:${whole.digest('hex')}` !== blob.digest) throw damaged(archive, blob, 'its digest is another')
    tables.set(blob.digest, table)
    if (held !== undefined) yield held
  }

  const prepare = (blob: Descriptor): Promise<void> =>
    reading(blob.digest, () =>
      readers.run(async () => {
        for await (const block of first(blob)) release(block)
      }),
    )

  return async function* (blob, start, end) {
    if (!tables.has(blob.digest)) {
      if (start === 0 && end === blob.size) {
        yield* first(blob)
        return
      }
      await prepare(blob)
    }
    const table = tables.get(blob.digest) ?? new Uint8Array()
    for (let at = start - (start % BLOCK); at < end; at += BLOCK) {
      const block = await blockAt(archive, blob, at)
      const mark = table.subarray((at / BLOCK) * MARK, (at / BLOCK + 1) * MARK)
      if (Buffer.compare(markOf(block), mark) !== 0)
        throw damaged(archive, blob, 'it has changed since it was read first')
      yield block.subarray(Math.max(0, start - at), Math.min(block.length, end - at))
    }
  }
}

// --- internal ---

const BLOCK = 32 * 1024
/** Bytes of the digest of a block that are kept: 512 KiB for each GiB of content. */
const MARK = 16
/** Blobs that are read whole at a time because a part of them is wanted. */
const READERS = 2

const markOf = (block: Uint8Array): Uint8Array =>
  createHash('sha256').update(block).digest().subarray(0, MARK)

async function blockAt(archive: ArchiveReader, blob: Descriptor, at: number): Promise<Uint8Array> {
  const wanted = Math.min(BLOCK, blob.size - at)
  const block = await collect(archive.read(blobPath(blob.digest), at, wanted))
  if (block.length !== wanted) throw damaged(archive, blob, `it has no ${blob.size} bytes`)
  return block
}

const damaged = (archive: ArchiveReader, { digest }: Descriptor, why: string): Error =>
  integrityError(`content of ${digest} is wrong: ${why}`, {
    where: placeIn(archive, blobPath(digest)),
    next: 'check the bundle with "ma-bundle verify", and copy it again',
  })
