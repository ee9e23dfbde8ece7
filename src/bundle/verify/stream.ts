import { openInOrder, readFirstInOrder } from '../../archive/sequential-reader.ts'
import { place, type PlacedEntry } from '../../archive/tar.ts'
import type { Bytes } from '../../lib/bytes/bytes.ts'
import { integrityError } from '../../lib/errors.ts'
import { readInOrder } from '../../lib/bytes/sequential.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { CONTENTS_LIMIT, decodeContents } from '../format/contents.ts'
import { notFromExport } from '../media/open-stream.ts'
import { HEAD } from '../format/plan.ts'
import { parseSums, SUMS } from '../format/sums.ts'
import { expectedDigest, expectedSums, type Verified, type VerifyOptions } from './verify.ts'
import type { Damage } from '../format/frame.ts'

export interface VerifiedPipe extends Verified {
  /** SHA256SUMS: what a signature is over. */
  readonly sums: Uint8Array
}

/** More than any list of a real bundle has. */
const SUMS_LIMIT = 128 * 1024 * 1024

/**
 * Reads a bundle in order, once, and compares every entry with its digest, as `verifyBundle` does of a file.
 * @throws an integrity error for anything that `export` does not write, and for what ends too soon or goes on behind
 * its end
 */
export async function verifyPipe(
  bytes: Bytes,
  { emit, signal }: Pick<VerifyOptions, 'emit' | 'signal'>,
): Promise<VerifiedPipe> {
  const reader = readInOrder(bytes)
  const head = await readFirstInOrder(reader, HEAD, CONTENTS_LIMIT)
  if (head === undefined) throw notFromExport()
  const { entries: listed } = decodeContents(head)
  const placement = place([{ path: HEAD, size: head.length }, ...listed])
  const [first, ...entries] = placement.entries
  const damaged: Damage[] = []
  const archive = openInOrder(reader, placement, (damage) => damaged.push(damage))
  const found = new Map<string, Digest>([[HEAD, digestOf(head)]])
  let sums: Uint8Array = new Uint8Array()
  const total = placement.entries.reduce((sum, { size }) => sum + size, 0)
  emit({ type: 'phase', phase: 'transfer', items: entries.length, bytes: total })
  for (const entry of entries) {
    const { path, size } = entry
    emit({ type: 'transfer', id: path, name: path, size })
    const content = await archive.open(entry)
    const kept = path === SUMS ? roomFor(entry) : undefined
    if (kept !== undefined) sums = kept
    found.set(path, await hashOf(content, path, kept))
    emit({ type: 'transferred', id: path, outcome: 'copied', size })
  }
  await archive.end()
  const known = parseSums(new TextDecoder().decode(sums))
  for (const entry of first === undefined ? entries : [first, ...entries]) {
    const reason = faultOf(entry, found, known)
    if (reason !== undefined)
      damaged.push({ path: entry.path, offset: entry.dataAt, size: entry.size, reason })
  }
  const expected = expectedSums([...found.keys()], known)
  const list = entries.find(({ path }) => path === SUMS)
  const at = sums.findIndex((byte, index) => byte !== expected[index])
  if (list !== undefined && (at >= 0 || sums.length !== expected.length)) {
    const reason = 'it is not the list of what the bundle holds'
    damaged.push({ path: SUMS, offset: list.dataAt + Math.max(at, 0), size: list.size, reason })
  }
  return {
    entries: placement.entries.length,
    bytes: total,
    damaged: damaged.toSorted((a, b) => a.offset - b.offset),
    sums,
  }

  async function hashOf(content: Bytes, id: string, kept?: Uint8Array): Promise<Digest> {
    const hasher = new Bun.CryptoHasher('sha256')
    let done = 0
    for await (const piece of content) {
      signal.throwIfAborted()
      hasher.update(piece)
      kept?.set(piece, done)
      done += piece.length
      emit({ type: 'progress', id, done })
    }
    return `sha256:${hasher.digest('hex')}`
  }
}

// --- internal ---

function roomFor({ path, size }: PlacedEntry): Uint8Array {
  if (size > SUMS_LIMIT)
    throw integrityError(`"${path}" has ${size} bytes; at most ${SUMS_LIMIT} are read into memory`)
  return new Uint8Array(size)
}

/** What is wrong with the content of an entry; nothing of SHA256SUMS, which no digest is known of. */
function faultOf(
  { path }: PlacedEntry,
  found: ReadonlyMap<string, Digest>,
  sums: ReadonlyMap<string, Digest>,
): string | undefined {
  if (path === SUMS) return undefined
  const expected = expectedDigest(path, sums)
  if (expected === undefined) return 'SHA256SUMS does not list it'
  const digest = found.get(path)
  return digest === expected ? undefined : `content of ${expected} is wrong: its digest is ${digest}`
}
