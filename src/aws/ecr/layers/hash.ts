import type { Bytes } from '../../../lib/bytes/bytes.ts'
import { integrityError, type BundleError } from '../../../lib/errors.ts'
import type { Descriptor } from '../../../oci/descriptor.ts'

/** The digest of content that is read in one or several goes, each beginning anywhere up to where the last one came. */
export interface LayerHash {
  /** Bytes from the start that are in the hash. */
  seen(): number
  /** Passes on content that begins at byte `from`, and hashes what it has not seen. */
  through(content: Bytes, from: number): Bytes
  /** To be called once, at the end. @throws an integrity error */
  check(): void
}

/** @param where for errors */
export function startHash({ digest, size }: Pick<Descriptor, 'digest' | 'size'>, where: string): LayerHash {
  const hasher = new Bun.CryptoHasher('sha256')
  const fail = (why: string): BundleError =>
    integrityError(`content of ${digest} is wrong: ${why}`, {
      where,
      next: 'nothing of it was completed; fetch it again, the copy that was read is damaged or was changed',
    })
  let seen = 0
  return {
    seen: () => seen,
    async *through(content, from) {
      let position = from
      for await (const chunk of content) {
        const fresh = chunk.subarray(Math.min(Math.max(seen - position, 0), chunk.length))
        position += chunk.length
        if (position > size) throw fail(`it is longer than the ${size} bytes it should have`)
        hasher.update(fresh)
        seen = Math.max(seen, position)
        yield chunk
      }
    },
    check() {
      const found = `sha256:${hasher.digest('hex')}`
      if (found !== digest) throw fail(`its digest is ${found}`)
    },
  }
}
