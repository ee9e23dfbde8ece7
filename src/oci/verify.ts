import type { Bytes } from '../lib/bytes/bytes.ts'
import { integrityError } from '../lib/errors.ts'
import type { Descriptor } from './descriptor.ts'

/** A sha256 in the making. */
export interface Hasher {
  update(bytes: Uint8Array): void
  digest(encoding: 'hex'): string
}

/** The beginning of some content, which was hashed before. */
export interface Begun {
  readonly hasher: Hasher
  /** Bytes of it. */
  readonly size: number
}

/**
 * The one verifier: passes content on while counting and hashing it, and keeps the last piece back until size and
 * digest are right, so that a consumer who needs all `size` bytes (a PUT with Content-Length, a file) never
 * completes with wrong ones. One pass, no copy. When `begun`, the bytes are those behind that.
 * @throws an integrity error that says what was expected and what came
 */
export function verified(bytes: Bytes, expected: Expected, where?: string, begun?: Begun): Bytes {
  if (begun !== undefined) return verify(bytes, expected, where, begun)
  // Hashing is most of what an upload costs: content that is on its way through here is not hashed once more.
  const before = underway.get(bytes)
  if (before?.digest === expected.digest && before.size === expected.size) return bytes
  const content = verify(bytes, expected, where)
  underway.set(content, expected)
  return content
}

// --- internal ---

type Expected = Pick<Descriptor, 'digest' | 'size'>

const underway = new WeakMap<Bytes, Expected>()

async function* verify(
  bytes: Bytes,
  expected: Expected,
  where?: string,
  begun: Begun = { hasher: new Bun.CryptoHasher('sha256'), size: 0 },
): Bytes {
  const fail = (why: string) =>
    integrityError(`content of ${expected.digest} is wrong: ${why}`, {
      ...(where === undefined ? {} : { where }),
      next: 'fetch it again; if it stays wrong, the copy there is damaged or was changed',
    })
  const { hasher } = begun
  const check = (): void => {
    const found = `sha256:${hasher.digest('hex')}`
    if (found !== expected.digest) throw fail(`its digest is ${found}`)
  }
  let seen = begun.size
  let last: Uint8Array | undefined
  for await (const chunk of bytes) {
    if (chunk.length === 0) continue
    seen += chunk.length
    if (seen > expected.size) throw fail(`it is longer than the ${expected.size} bytes it should have`)
    hasher.update(chunk)
    if (seen < expected.size) yield chunk
    else last = chunk
  }
  if (seen !== expected.size) throw fail(`it ends after ${seen} of ${expected.size} bytes`)
  check()
  if (last !== undefined) yield last
}
