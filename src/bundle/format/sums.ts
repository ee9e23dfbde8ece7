import type { ArchiveReader } from '../../archive/reader.ts'
import { hexOf, isDigest, type Digest } from '../../oci/digest.ts'

/** The file that `sha256sum -c` reads. */
export const SUMS = 'SHA256SUMS'

/** Digests of all other files by path; empty when the archive has no such file. */
export async function readSums(archive: ArchiveReader): Promise<ReadonlyMap<string, Digest>> {
  if (!archive.entries.has(SUMS)) return new Map()
  return parseSums(new TextDecoder().decode(await archive.readAll(SUMS)))
}

/** Digests by path; lines of any other form are left out. */
export const parseSums = (text: string): ReadonlyMap<string, Digest> =>
  new Map(
    text.split('\n').flatMap((line): [string, Digest][] => {
      const digest = `sha256:${line.slice(0, 64)}`
      return isDigest(digest) && line.slice(64, 66) === '  ' ? [[line.slice(66), digest]] : []
    }),
  )

/** Bytes of the file that lists these paths: known before any digest is. */
export const sumsSize = (paths: readonly string[]): number =>
  paths.reduce((size, path) => size + OVERHEAD + Buffer.byteLength(path), 0)

export const encodeSums = (digests: readonly (readonly [path: string, digest: Digest])[]): Uint8Array =>
  new TextEncoder().encode(digests.map(([path, digest]) => `${hexOf(digest)}  ${path}\n`).join(''))

// --- internal ---

/** 64 hex digits, two spaces, the path, a newline. */
const OVERHEAD = 64 + 2 + 1
