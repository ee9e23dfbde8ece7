import type { Bytes } from '../../lib/bytes/bytes.ts'
import { createOnce } from '../../lib/once.ts'
import type { Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { verified } from '../../oci/verify.ts'

/** Blobs as they are sent: whole, or a range of bytes (`end` is behind the last). */
export type ServeBlob = (blob: Descriptor, start: number, end: number) => Bytes

/**
 * Content that never comes to its end when it is wrong: the last piece is held back until the whole blob has been
 * verified. A range makes the blob be read whole once; from then on ranges of it are just read.
 */
export function createServeBlob(source: Source, whereOf: (blob: Descriptor) => string): ServeBlob {
  const checked = createOnce<void>()
  const check = (blob: Descriptor): Promise<void> =>
    checked(blob.digest, async () => {
      for await (const chunk of verified(await source.fetch(blob), blob, whereOf(blob)))
        if (chunk.length === 0) break
    })
  return async function* (blob, start, end) {
    if (start === 0 && end === blob.size) {
      yield* verified(await source.fetch(blob), blob, whereOf(blob))
      return
    }
    const whole = check(blob)
    // Reported when it matters: behind the last piece. Until then a failure is no unhandled one.
    whole.catch(() => 'reported below')
    let last: Uint8Array | undefined
    for await (const chunk of cut(await source.fetch(blob, start), end - start)) {
      if (last !== undefined) yield last
      last = chunk
    }
    await whole
    if (last !== undefined) yield last
  }
}

// --- internal ---

async function* cut(bytes: Bytes, length: number): Bytes {
  let left = length
  for await (const chunk of bytes) {
    if (left <= 0) return
    yield chunk.length > left ? chunk.subarray(0, left) : chunk
    left -= chunk.length
  }
}
