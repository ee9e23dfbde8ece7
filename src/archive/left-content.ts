import { PIECE, release } from '../lib/bytes/buffers.ts'
import type { RandomReader } from '../lib/bytes/bytes.ts'
import { integrityError } from '../lib/errors.ts'
import { hexOf, type Digest } from '../oci/digest.ts'
import type { RandomWriter } from './random-writer.ts'
import type { PlacedEntry } from './tar.ts'
import type { Claim } from './unfinished-mark.ts'

/** The beginning of an entry's content that is there and right. */
export interface Beginning {
  /** Bytes. */
  readonly size: number
  /** Has seen exactly these. */
  readonly hasher: Bun.CryptoHasher
}

/** Of an entry of which nothing is there. */
export const nothingYet = (): Beginning => ({ size: 0, hasher: new Bun.CryptoHasher('sha256') })

/**
 * Reads what was left of an entry and hashes it, once: the longest claim that holds is what is there. A claim without
 * a digest, of less than the whole, cannot be judged here; the digest of the whole judges it once the rest has come.
 * @param claims the shortest first
 */
export async function checkLeft(
  medium: RandomWriter,
  entry: PlacedEntry,
  claims: readonly Claim[],
  digest: Digest,
  onRead: (bytes: number) => void = () => undefined,
): Promise<Beginning> {
  const hasher = new Bun.CryptoHasher('sha256')
  let right = nothingYet()
  let at = 0
  for (const claim of claims) {
    while (at < claim.bytes) {
      const chunk = await medium.read(entry.dataAt + at, Math.min(PIECE, claim.bytes - at))
      if (chunk.length === 0) return right
      hasher.update(chunk)
      at += chunk.length
      release(chunk)
      onRead(at)
    }
    const wanted = at === entry.size ? hexOf(digest) : claim.digest
    const found = hasher.copy()
    if (wanted === undefined || found.copy().digest('hex') === wanted) right = { size: at, hasher: found }
  }
  return right
}

/** What is being written, for a reader. */
export function readerOver(medium: RandomWriter, size: number): RandomReader {
  return {
    size,
    async *read(start, length) {
      for (let at = start; at < start + length;) {
        const chunk = await medium.read(at, Math.min(PIECE, start + length - at))
        if (chunk.length === 0) throw integrityError(`what was written ends at byte ${at}`)
        at += chunk.length
        yield chunk
      }
    },
    close: () => Promise.resolve(),
  }
}
