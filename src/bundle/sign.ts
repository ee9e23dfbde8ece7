import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { integrityError, messageOf, usageError } from '../lib/errors.ts'
import type { Bundle } from './open.ts'
import { SUMS } from './sums.ts'

/**
 * What is signed: the bytes of SHA256SUMS. They name bundle.json and everything else by digest, so that they stand for
 * every byte, also of a bundle that was packed again. Anybody can take them out with tar, and check the signature with
 * `cosign verify-blob --key` or openssl.
 */
export function signedBytes({ sums }: Bundle): Uint8Array {
  if (sums !== undefined) return sums
  throw integrityError(`nothing in it can be signed: it has no ${SUMS}, as only a bundle of ma-bundle has`)
}

/**
 * Signs as `cosign sign-blob` does: base64 of the signature, which is DER for ECDSA over sha256, and plain Ed25519.
 * @param key from `privateKey`
 */
export const signBytes = (content: Uint8Array, key: KeyObject): string =>
  sign(hashFor(key), content, key).toString('base64')

/**
 * @param signature content of the file beside the bundle
 * @throws an integrity error unless it is the signature of these bytes with the other half of this key
 */
export function verifySignature(content: Uint8Array, signature: string, key: KeyObject): void {
  const text = signature.trim()
  const raw = Buffer.from(text, 'base64')
  // The decoder overlooks whatever is no base64.
  if (raw.length > 0 && raw.toString('base64') === text && verify(hashFor(key), content, key, raw)) return
  throw integrityError('the signature is not of this bundle with this key', {
    next: 'do not use the bundle before you know who changed it, or which key it was signed with',
  })
}

/**
 * A private key in PEM: Ed25519 or ECDSA P-256.
 * @throws a usage error that never shows anything of the key
 */
export const privateKey = (pem: string, where: string): KeyObject =>
  load(pem, where, 'private', () => createPrivateKey(pem))

/** The public half in PEM. A private key is refused, because it has no business where bundles are checked. */
export function publicKey(pem: string, where: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) {
    throw usageError('this is a private key; to verify, only its public half is needed', {
      where,
      next: 'make it with: openssl pkey -in key.pem -pubout',
    })
  }
  return load(pem, where, 'public', () => createPublicKey(pem))
}

// --- internal ---

const hashFor = (key: KeyObject): 'sha256' | null => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256')

function load(pem: string, where: string, kind: string, parse: () => KeyObject): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    throw usageError('the key is encrypted, and nobody is asked for its password here', {
      where,
      next: 'decrypt it for this run (openssl pkey), or sign SHA256SUMS yourself: cosign sign-blob --key',
    })
  }
  const key = tryParse(parse, where, kind)
  const type = key.asymmetricKeyType
  if (type === 'ed25519' || (type === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1'))
    return key
  throw usageError(`the key is of type ${type ?? 'unknown'}; Ed25519 and ECDSA P-256 are used`, {
    where,
    next: 'make one with: openssl genpkey -algorithm ed25519 -out key.pem',
  })
}

function tryParse(parse: () => KeyObject, where: string, kind: string): KeyObject {
  try {
    return parse()
  } catch (cause) {
    throw usageError(`this is no ${kind} key in PEM: ${messageOf(cause).split('\n', 1)[0]}`, {
      where,
      next: 'make one with: openssl genpkey -algorithm ed25519 -out key.pem',
    })
  }
}
