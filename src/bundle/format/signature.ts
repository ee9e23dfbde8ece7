import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { integrityError, messageOf, usageError } from '../../lib/errors.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { isObject, parseObject } from '../../oci/manifest.ts'
import type { Bundle } from './open.ts'
import { SUMS } from './sums.ts'

/**
 * What is signed: the bytes of SHA256SUMS. They name bundle.json and everything else by digest, so that they stand for
 * every byte, also of a bundle that was packed again. Anybody can take them out with tar, and check the signature with
 * `cosign verify-blob --key` or openssl.
 */
export function signedBytes({ sums }: Pick<Bundle, 'sums'>): Uint8Array {
  if (sums !== undefined) return sums
  throw integrityError(`nothing in it can be signed: it has no ${SUMS}, as only a bundle of ma-bundle has`)
}

/** What signs: a key in a file, or one that a service keeps. */
export interface Signer {
  readonly publicKey: KeyObject
  /** @returns the signature: DER for ECDSA over sha256, 64 bytes for Ed25519 */
  sign(content: Uint8Array): Promise<Uint8Array>
}

/** @param key from `privateKey` */
export const keySigner = (key: KeyObject): Signer => ({
  publicKey: createPublicKey(key),
  sign: (content) => Promise.resolve(sign(hashFor(key), content, key)),
})

/**
 * Signs as `cosign sign-blob` does: base64 of the signature.
 * @throws an integrity error when what came back is no signature of this key
 */
export async function signBytes(content: Uint8Array, signer: Signer): Promise<string> {
  const signature = await signer.sign(content)
  const { publicKey: key } = signer
  if (signature.length > 0 && verify(hashFor(key), content, key, signature))
    return Buffer.from(signature).toString('base64')
  throw integrityError('what came back is no signature of this bundle with the public half of this key', {
    next: 'see whether the key was changed just now, and what answers in the place of KMS',
  })
}

/** `Ed25519` or `ECDSA P-256`. */
export const algorithmOf = ({ asymmetricKeyType }: KeyObject): string =>
  asymmetricKeyType === 'ed25519' ? 'Ed25519' : 'ECDSA P-256'

/** `sha256:…` of the key in DER (SubjectPublicKeyInfo): the same for the same key in any spelling. */
export const fingerprintOf = (key: KeyObject): Digest =>
  digestOf(new Uint8Array(key.export({ type: 'spki', format: 'der' })))

/**
 * @param signature content of the file next to the bundle, in any of the forms that `decodeSignature` knows
 * @throws an integrity error unless it is the signature of these bytes with the other half of this key
 */
export function verifySignature(content: Uint8Array, signature: Uint8Array, key: KeyObject): void {
  if (decodeSignature(signature).some((raw) => verify(hashFor(key), content, key, raw))) return
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

/**
 * What may be meant by the content of a signature file, most likely first:
 * base64 in one line or wrapped, as ours, `openssl base64` and `cosign sign-blob --output-signature` write it; the JSON
 * of `cosign sign-blob --bundle`, by version 3 (a Sigstore bundle) and before; and the bytes alone, as openssl does.
 * https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
 */
function decodeSignature(content: Uint8Array): readonly Uint8Array[] {
  const raw = content.length > 0 && content.length <= RAW_LIMIT ? [content] : []
  const json = parseObject(content)
  const text = json === undefined ? new TextDecoder().decode(content) : textIn(json)
  const decoded = text === undefined ? undefined : fromBase64(text)
  return decoded === undefined ? raw : [decoded, ...raw]
}

/** More than any signature of the keys that are known here. */
const RAW_LIMIT = 80

function textIn({ messageSignature, base64Signature }: Record<string, unknown>): string | undefined {
  const text = isObject(messageSignature) ? messageSignature['signature'] : base64Signature
  return typeof text === 'string' ? text : undefined
}

/** Strictly: the decoder overlooks whatever is no base64. */
function fromBase64(text: string): Uint8Array | undefined {
  const compact = text.replace(/\s+/g, '')
  const raw = Buffer.from(compact, 'base64')
  return raw.length > 0 && raw.toString('base64') === compact ? new Uint8Array(raw) : undefined
}

const hashFor = (key: KeyObject): 'sha256' | null => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256')

function load(pem: string, where: string, kind: string, parse: () => KeyObject): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    throw usageError('the key is encrypted, and its password cannot be entered here', {
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
