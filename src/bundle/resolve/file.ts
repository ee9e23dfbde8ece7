import { bytesOf, collect } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError, usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import type { Source } from '../../oci/content.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { urlCandidates, type Mirrors } from '../../registry/mirror.ts'
import { downloadFrom, sizeAt } from './download-file.ts'
import type { FileRoot } from '../format/root.ts'
import type { Session } from '../run/network.ts'
import type { SpecFile } from '../spec/spec.ts'

/** What is not pinned has to be read before the bundle can be planned. */
const UNPINNED_LIMIT = 64 * 1024 * 1024
const FILE = 'application/octet-stream'

export interface FileOptions {
  readonly session: Session
  readonly mirrors: Mirrors
  readonly locked?: Digest
}

/** A plain file to its digest and size, mirrors first; one that nobody has pinned yet is read whole. */
export async function resolveFile(file: SpecFile, options: FileOptions): Promise<FileRoot> {
  const places = urlCandidates(file.url, options.mirrors)
  for (const place of places) {
    try {
      return await resolveAt(place, file, options)
    } catch (error) {
      if (!(error instanceof BundleError) || error.kind === 'cancelled' || place === places.at(-1))
        throw error
      const message = `a mirror did not serve it: ${error.message}`
      options.session.emit({ type: 'warning', message, where: `file ${file.name}` })
    }
  }
  throw new Error('a file has no place')
}

// --- internal ---

async function resolveAt(url: string, file: SpecFile, { session, locked }: FileOptions): Promise<FileRoot> {
  const { name } = file
  const digest = file.digest ?? locked
  const size = file.size ?? (digest === undefined ? undefined : await sizeAt(session, url))
  if (digest !== undefined && size !== undefined) {
    return {
      kind: 'file',
      name,
      descriptor: { mediaType: FILE, digest, size },
      source: webSource(url, session),
    }
  }
  const content = await readSmall(url, name, session)
  const found = digestOf(content)
  if (digest !== undefined && found !== digest) {
    throw integrityError(`its digest is ${found} instead of ${digest}`, { where: `source ${name}` })
  }
  if (digest === undefined) {
    session.emit({
      type: 'warning',
      message: `nobody says what its sha256 should be; it is now ${found}`,
      where: `file ${name}`,
      next: 'compare it with what the publisher says, and write it into the spec',
    })
  }
  const source: Source = {
    resolve: () => Promise.reject(new Error('a file has no manifest')),
    fetch: (_, start) => Promise.resolve(bytesOf(content, start)),
  }
  return { kind: 'file', name, descriptor: { mediaType: FILE, digest: found, size: content.length }, source }
}

const webSource = (url: string, session: Session): Source => ({
  resolve: () => Promise.reject(new Error('a file has no manifest')),
  fetch: (_, start) => Promise.resolve(downloadFrom(session, url, start)),
})

async function readSmall(url: string, name: string, session: Session): Promise<Uint8Array> {
  let size = 0
  const limited = async function* () {
    for await (const chunk of downloadFrom(session, url)) {
      size += chunk.length
      if (size > UNPINNED_LIMIT) {
        throw usageError(
          `the file is larger than ${formatBytes(UNPINNED_LIMIT)}, and neither its sha256 nor its size is known`,
          {
            where: `file ${name}`,
            next: 'write sha256 and size into the spec',
          },
        )
      }
      yield chunk
    }
  }
  return collect(limited())
}
