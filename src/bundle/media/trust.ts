import { basename } from 'node:path'
import { KMS_SCHEME } from '../../aws/kms/key-name.ts'
import { release } from '../../lib/bytes/buffers.ts'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import { BundleError, integrityError, usageError } from '../../lib/errors.ts'
import { verified } from '../../oci/verify.ts'
import type { Bundle } from '../format/open.ts'
import {
  algorithmOf,
  fingerprintOf,
  publicKey,
  signBytes,
  signedBytes,
  verifySignature,
  type Signer,
} from '../format/signature.ts'
import { parseSums, SUMS } from '../format/sums.ts'
import type { Medium } from './medium.ts'

/** Who must have signed a bundle before anything of it is used. */
export interface SignatureOptions {
  /** Public key (PEM file). */
  readonly verifyKey?: string | undefined
  /** Where the signature is, when not next to the bundle. */
  readonly signature?: string | undefined
  /** Refuses a bundle without a key to check it with. */
  readonly requireSignature?: boolean | undefined
}

/** A signature that was found right. */
export interface CheckedSignature {
  /** File name of the key. */
  readonly key: string
  /** `sha256:…` of the public key in DER, as `openssl pkey -pubin -outform DER | sha256sum` shows it. */
  readonly fingerprint: string
  readonly algorithm: string
  /** Entries of the bundle that it covers: all of them. */
  readonly covers: number
}

/** What is known of a bundle's signature. */
export type SignatureState =
  | ({ readonly state: 'checked' } & CheckedSignature)
  /** It is next to the bundle, and nobody gave a key to check it with. */
  | { readonly state: 'unchecked'; readonly file: string }
  | { readonly state: 'none' }

/**
 * Checks the signature of an opened bundle, and the programs it carries, when a key is given: before anything of it is
 * used or run.
 */
export async function checkTrust(
  bundle: Bundle,
  medium: Medium,
  options: SignatureOptions,
): Promise<CheckedSignature | undefined> {
  const checked = await checkSignature(bundle, medium, options)
  if (checked !== undefined) await checkPrograms(bundle)
  return checked
}

/** The signature alone, for callers that read every entry anyway. */
export async function checkSignature(
  bundle: Pick<Bundle, 'sums'> & Partial<Pick<Bundle, 'contents'>>,
  medium: Medium,
  { verifyKey, signature, requireSignature = false }: SignatureOptions,
): Promise<CheckedSignature | undefined> {
  if (verifyKey === undefined) {
    if (!requireSignature) return undefined
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
    throw integrityError('the bundle has no signature next to it', {
      where,
      next: 'carry the .sig file along, or name it with --signature',
    })
  }
  verifySignature(content, text, key)
  const sums = parseSums(new TextDecoder().decode(content))
  const beyond = bundle.contents?.entries.find(({ path }) => path !== SUMS && !sums.has(path))
  if (beyond !== undefined) {
    throw integrityError(`the signature does not cover ${JSON.stringify(beyond.path)}`, {
      where,
      next: 'do not use the bundle before you know who added that',
    })
  }
  return {
    key: basename(verifyKey),
    fingerprint: fingerprintOf(key),
    algorithm: algorithmOf(key),
    // SHA256SUMS lists all others.
    covers: sums.size + 1,
  }
}

/**
 * Whether a signature can be found at all, for a bundle that can be read only once.
 * @throws a usage error when a key is given and no place for a signature is known
 */
export function checkTrustOptions(medium: Medium, { verifyKey, signature }: SignatureOptions): void {
  if (verifyKey !== undefined && signature === undefined) medium.sidecarAt('.sig')
}

/** @param signed what was checked of it */
export async function signatureStateOf(
  medium: Medium,
  signed: CheckedSignature | undefined,
  { signature }: SignatureOptions,
): Promise<SignatureState> {
  if (signed !== undefined) return { state: 'checked', ...signed }
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

/**
 * Reads the programs that a bundle carries: people take them out and run them.
 * @throws an integrity error for one that is not what the bundle says
 */
async function checkPrograms({ archive, contents, sums = new Uint8Array() }: Bundle): Promise<void> {
  const listed = parseSums(new TextDecoder().decode(sums))
  for (const { path, digest, size } of contents?.programs ?? []) {
    if (listed.get(path) !== digest) throw integrityError(`SHA256SUMS has another digest for ${path}`)
    for await (const piece of verified(archive.read(path), { digest, size }, `bundle, ${path}`))
      release(piece)
  }
}

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
