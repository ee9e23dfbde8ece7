import { bytesOf, collect } from '../../lib/bytes/bytes.ts'
import { integrityError, usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import { noteSecret } from '../../lib/secrets.ts'
import { redactUrl, withoutSecrets } from '../../lib/url.ts'
import type { Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { urlCandidates, type Mirrors } from '../../registry/mirror.ts'
import { downloadFrom, sizeAt } from './download-file.ts'
import { firstOf, sourcesOf, type MirrorLog, type MirrorOrOrigin } from './mirrored.ts'
import type { FileRoot } from '../format/root.ts'
import type { Network } from '../run/network.ts'
import type { SpecFile } from '../spec/spec.ts'

/** What is not pinned has to be read before the bundle can be planned. */
const UNPINNED_LIMIT = 64 * 1024 * 1024
const FILE = 'application/octet-stream'

export interface FileOptions {
  readonly session: Network
  readonly mirrors: Mirrors
  readonly locked?: Digest
  readonly log: MirrorLog
}

/** A plain file to its digest and size, mirrors first; one that nobody has pinned yet is read whole. */
export async function resolveFile(file: SpecFile, options: FileOptions): Promise<FileRoot> {
  const { session, mirrors, log } = options
  if (withoutSecrets(file.url) !== file.url) noteSecret(...new URL(file.url).searchParams.values())
  const places = urlCandidates(file.url, mirrors).map((url): WebPlace => {
    const source = webSource(url, session)
    if (url === file.url) return { url, source }
    return { url, source, mirror: { host: new URL(url).host, place: redactUrl(url) } }
  })
  return firstOf(places, file.name, log, async (place): Promise<FileRoot> => {
    const { descriptor, content } = await resolveAt(place, file, options)
    const common = { kind: 'file' as const, name: file.name, descriptor }
    if (content !== undefined) return { ...common, source: inMemory(content) }
    // What is pinned is not read yet, so each place may still have to serve it.
    const others = places.filter((other) => other !== place)
    const [source = place.source, ...alternatives] = sourcesOf([place, ...others], file.name, log).all
    return { ...common, source, alternatives }
  })
}

// --- internal ---

interface WebPlace extends MirrorOrOrigin {
  readonly url: string
}

async function resolveAt(
  { url, mirror }: WebPlace,
  file: SpecFile,
  { session, locked }: FileOptions,
): Promise<{ readonly descriptor: Descriptor; readonly content?: Uint8Array }> {
  const { name } = file
  const digest = file.digest ?? locked
  const size = file.size ?? (digest === undefined ? undefined : await sizeAt(session, url))
  // The length of a mirror's login page would be taken for that of the file, so what is small is inspected.
  const isCertain = file.size !== undefined || mirror === undefined || (size ?? 0) > UNPINNED_LIMIT
  if (digest !== undefined && size !== undefined && isCertain) {
    return { descriptor: { mediaType: FILE, digest, size } }
  }
  const content = await readSmall(url, name, session)
  const found = digestOf(content)
  if (digest !== undefined && found !== digest) {
    throw integrityError(`its digest is ${found} instead of ${digest}`, { where: `source ${name}` })
  }
  if (digest === undefined) {
    session.emit({
      type: 'warning',
      message: `no sha256 was given for it; it is now ${found}`,
      where: `file ${name}`,
      next: 'compare it with what the publisher says, and write it into the spec',
    })
  }
  return { descriptor: { mediaType: FILE, digest: found, size: content.length }, content }
}

const inMemory = (content: Uint8Array): Source => ({
  resolve: () => Promise.reject(new Error('a file has no manifest')),
  fetch: (_, start) => Promise.resolve(bytesOf(content, start)),
})

const webSource = (url: string, session: Network): Source => ({
  resolve: () => Promise.reject(new Error('a file has no manifest')),
  fetch: (_, start) => Promise.resolve(downloadFrom(session, url, start)),
})

async function readSmall(url: string, name: string, session: Network): Promise<Uint8Array> {
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
