import { integrityError } from '../lib/errors.ts'

/** `sha256:` and 64 lower-case hex digits; the only algorithm registries agree on. */
export type Digest = `sha256:${string}`

const PATTERN = /^sha256:[0-9a-f]{64}$/

export const isDigest = (text: unknown): text is Digest => typeof text === 'string' && PATTERN.test(text)

/** @throws an integrity error for another algorithm or form. */
export function parseDigest(text: unknown, where?: string): Digest {
  if (isDigest(text)) return text
  throw integrityError(`not a sha256 digest: ${JSON.stringify(text)?.slice(0, 120)}`, {
    ...(where === undefined ? {} : { where }),
    next: 'only sha256 digests (64 lower-case hex digits) are supported',
  })
}

export const hexOf = (digest: Digest): string => digest.slice('sha256:'.length)

export const digestOf = (content: Uint8Array | string): Digest =>
  `sha256:${new Bun.CryptoHasher('sha256').update(content).digest('hex')}`
