import type { RandomReader } from '../../lib/bytes/bytes.ts'
import { findBuildMark, MARK_LIMIT, type Build } from '../../lib/build.ts'
import { integrityError } from '../../lib/errors.ts'
import { release } from '../../lib/bytes/buffers.ts'
import type { Source } from '../../oci/content.ts'
import { isDigest, type Digest } from '../../oci/digest.ts'
import { isObject } from '../../oci/manifest.ts'

/** This program, compiled for one platform, as a bundle carries it: whoever has the bundle can import it. */
export interface ProgramContents extends Build {
  /** Its entry: `ma-bundle`, or `ma-bundle-arm64`. */
  readonly path: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

export interface ImporterProgram extends ProgramContents {
  readonly source: Source
}

/** The most usual machine gets the plain name. */
export const programPath = (platform: string): string =>
  platform === 'linux/amd64' ? 'ma-bundle' : `ma-bundle-${platform.slice(platform.indexOf('/') + 1)}`

export const programContents = ({
  path,
  platform,
  version,
  digest,
  size,
}: ImporterProgram): ProgramContents => ({
  path,
  platform,
  version,
  digest,
  size,
})

/** The platform of a Linux executable, by its first bytes; undefined for anything else. */
export function platformOfElf(head: Uint8Array): string | undefined {
  const buffer = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  if (buffer.length < ELF_HEAD || buffer.readUInt32BE(0) !== 0x7f454c46) return undefined
  return MACHINES[buffer.readUInt16LE(18)]
}

export const ELF_HEAD = 20

/** Reads a file once: its digest, and what it says that it is; no build when it is another program. */
export async function readProgram(
  file: RandomReader,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly size: number; readonly build: Build | undefined }> {
  const hasher = new Bun.CryptoHasher('sha256')
  let build: Build | undefined
  let tail = new Uint8Array()
  for await (const chunk of file.read(0, file.size)) {
    signal.throwIfAborted()
    hasher.update(chunk)
    build ??= findBuildMark(Buffer.concat([tail, chunk.subarray(0, MARK_LIMIT)])) ?? findBuildMark(chunk)
    tail = chunk.slice(-MARK_LIMIT)
    release(chunk)
  }
  return { digest: `sha256:${hasher.digest('hex')}`, size: file.size, build }
}

/**
 * @throws an integrity error for a list of another form
 */
export function decodePrograms(programs: unknown): ProgramContents[] {
  const list: readonly unknown[] = Array.isArray(programs) ? programs : [undefined]
  return list.map((program) => {
    const { path, platform, version, digest, size } = isObject(program) ? program : {}
    if (
      typeof path !== 'string' ||
      typeof platform !== 'string' ||
      typeof version !== 'string' ||
      typeof size !== 'number' ||
      !isDigest(digest)
    ) {
      throw integrityError('bundle.json is damaged: a program has no path, platform, version, digest or size')
    }
    return { path, platform, version, digest, size }
  })
}

// --- internal ---

/** https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html, e_machine */
const MACHINES: Readonly<Record<number, string>> = { 62: 'linux/amd64', 183: 'linux/arm64' }
