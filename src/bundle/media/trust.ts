import { basename } from 'node:path'
import { KMS_SCHEME } from '../../aws/kms/key-name.ts'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import { BundleError, integrityError, usageError } from '../../lib/errors.ts'
import type { Bundle } from '../format/open.ts'
import {
  algorithmOf,
  publicKey,
  signBytes,
  signedBytes,
  verifySignature,
  type Signer,
} from '../format/signature.ts'
import type { Medium } from './medium.ts'

/** Who must have signed a bundle before anything of it is used. */
export interface TrustOptions {
  /** Public key (PEM file). */
  readonly verifyKey?: string | undefined
  /** Where the signature is, when not beside the bundle. */
  readonly signature?: string | undefined
  /** Refuses a bundle without a key to check it with. */
  readonly requireSignature?: boolean | undefined
}

/** What is known of a bundle's signature. */
export type SignatureState =
  | { readonly state: 'checked'; readonly key: string }
  /** It lies beside the bundle, and nobody gave a key to check it with. */
  | { readonly state: 'unchecked'; readonly file: string }
  | { readonly state: 'none' }

/**
 * Checks the signature of an opened bundle, when a key is given: before anything of it is used.
 * @returns whether it was checked
 */
export async function checkSignature(
  bundle: Pick<Bundle, 'sums'>,
  medium: Medium,
  { verifyKey, signature, requireSignature = false }: TrustOptions,
): Promise<boolean> {
  if (verifyKey === undefined) {
    if (!requireSignature) return false
    throw usageError('a signature is required here, and no key is given to check it with', {
      next:
        'give the public key of whoever signs your bundles: --verify-key <file>, MA_BUNDLE_VERIFY_KEY, ' +
        'or verify-key below "all" in ma-bundle.config.yaml',
    })
  }
  if (verifyKey.startsWith(KMS_SCHEME)) {
    throw usageError('a signature is checked without a network, by the public half of the key in a file', {
      next: 'write it where KMS can be reached: ma-bundle sign <bundle> --key <key> --public-key-out pub.pem',
    })
  }
  const key = publicKey(await readKey(verifyKey), basename(verifyKey))
  const content = signedBytes(bundle)
  const where = basename(signature ?? medium.sidecarAt('.sig'))
  const text = await medium.readSidecar('.sig', signature).catch((error: unknown) => {
    if (error instanceof BundleError) throw error
    throw usageError(`cannot read the signature: ${whyUnreadable(error)}`, { where, cause: error })
  })
  if (text === undefined) {
    throw integrityError('the bundle has no signature beside it', {
      where,
      next: 'carry the .sig file along, or name it with --signature',
    })
  }
  verifySignature(content, text, key)
  return true
}

/**
 * Whether a signature can be found at all, for a bundle that can be read only once.
 * @throws a usage error when a key is given and no place for a signature is known
 */
export function checkTrustOptions(medium: Medium, { verifyKey, signature }: TrustOptions): void {
  if (verifyKey !== undefined && signature === undefined) medium.sidecarAt('.sig')
}

/** @param signed whether it was checked */
export async function signatureStateOf(
  medium: Medium,
  signed: boolean,
  { verifyKey = '', signature }: TrustOptions,
): Promise<SignatureState> {
  if (signed) return { state: 'checked', key: basename(verifyKey) }
  return (await isThere(medium, signature))
    ? { state: 'unchecked', file: basename(signature ?? medium.sidecarAt('.sig')) }
    : { state: 'none' }
}

/**
 * Signs a bundle and writes the signature beside it, or `at` another place.
 * @param content its SHA256SUMS, which stand for all of its bytes
 */
export async function signOn(
  medium: Medium,
  content: Uint8Array,
  signer: Signer,
  at?: string,
): Promise<{ readonly file: string; readonly algorithm: string }> {
  const text = await signBytes(content, signer)
  return { file: await medium.writeSidecar('.sig', text, at), algorithm: algorithmOf(signer.publicKey) }
}

/** A key in PEM. @throws a usage error that never shows anything of it */
export async function readKey(file: string): Promise<string> {
  try {
    return (await readSmall(file)).toString('utf8')
  } catch (error) {
    throw usageError(`cannot read the key: ${whyUnreadable(error)}`, { where: basename(file), cause: error })
  }
}

// --- internal ---

/** With permission to read a bundle in S3, but not to list the bucket, nobody can know; then it counts as absent. */
async function isThere(medium: Medium, signature: string | undefined): Promise<boolean> {
  try {
    return (await medium.readSidecar('.sig', signature)) !== undefined
  } catch (error) {
    if (!(error instanceof BundleError)) return true
    if (error.kind === 'auth') return false
    throw error
  }
}
