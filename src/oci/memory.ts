import { bytesOf } from '../lib/bytes/bytes.ts'
import { BundleError } from '../lib/errors.ts'
import type { RawManifest, Source } from './content.ts'
import type { Digest } from './digest.ts'

/** A source that holds small content in memory: charts packed as artifacts, filtered indexes. */
export interface MemorySource extends Source {
  add(digest: Digest, content: Uint8Array): void
  addManifest(manifest: RawManifest): void
}

/** @param behind where to look for what is not here */
export function createMemorySource(behind?: Source): MemorySource {
  const blobs = new Map<Digest, Uint8Array>()
  const manifests = new Map<string, RawManifest>()
  const missing = (what: string) => new BundleError(`${what} is not in memory`, { kind: 'failed' })
  return {
    add: (digest, content) => {
      blobs.set(digest, content)
    },
    addManifest: (manifest) => {
      manifests.set(manifest.descriptor.digest, manifest)
    },
    async resolve(reference) {
      const found = manifests.get(reference)
      if (found !== undefined) return found
      if (behind === undefined) throw missing(reference)
      return behind.resolve(reference)
    },
    async fetch(target, start = 0) {
      const found = blobs.get(target.digest) ?? manifests.get(target.digest)?.raw
      if (found !== undefined) return bytesOf(found, start)
      if (behind === undefined) throw missing(target.digest)
      return behind.fetch(target, start)
    },
  }
}
