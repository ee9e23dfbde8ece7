import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { isS3 } from '../../aws/s3/location.ts'
import { basename, join } from 'node:path'
import { bundlePath } from '../../archive/volumes/volume.ts'
import { openBundle, type Bundle } from '../../bundle/format/open.ts'
import { KMS_SCHEME, parseKmsKey } from '../../aws/kms/key-name.ts'
import { openKmsKey } from '../../aws/kms/key.ts'
import {
  algorithmOf,
  keySigner,
  privateKey,
  publicKey,
  signBytes,
  signedBytes,
  verifySignature,
  type Signer,
} from '../../bundle/format/signature.ts'
import type { Plan } from '../../bundle/format/plan.ts'
import { SUMS } from '../../bundle/format/sums.ts'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import { createTrust } from '../../lib/http/tls.ts'
import { readBeside, writeBeside } from '../media/sidecar.ts'
import { BundleError, integrityError, usageError } from '../../lib/errors.ts'
import { openBundleFile, type World } from '../media/open-bundle.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

/** Flags of every command that uses what is in a bundle. A site insists by `require-signature: true` in its config file or environment. */
export const signatureArgs = {
  verifyKey: {
    type: 'string',
    hint: 'file',
    description: 'Public key (PEM, Ed25519 or ECDSA P-256) that must have signed the bundle',
  },
  signature: {
    type: 'string',
    hint: 'file',
    description: 'Where its signature is, when not beside it as <bundle>.sig',
  },
  requireSignature: { type: 'boolean', description: 'Refuse to run without --verify-key' },
} as const satisfies ArgsDef

export type SignatureArgs = Args<typeof signatureArgs>

/**
 * Checks the signature of an opened bundle, when a key says so: before anything of it is used.
 * @returns whether it was checked
 */
export async function checkSignature(
  bundle: Pick<Bundle, 'sums'>,
  {
    bundle: path,
    verifyKey,
    signature,
    requireSignature,
    volumes = [],
  }: SignatureArgs & { readonly bundle: string; readonly volumes?: readonly string[] },
  world: World,
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
  const key = publicKey(await readText(verifyKey, 'key'), basename(verifyKey))
  const content = signedBytes(bundle)
  const given = signature ?? signatureBeside(path, volumes)
  const text = await readBeside(given, world).catch((error: unknown) => {
    if (error instanceof BundleError) throw error
    throw usageError(`cannot read the signature: ${whyUnreadable(error)}`, {
      where: basename(given),
      cause: error,
    })
  })
  if (text === undefined) {
    throw integrityError('the bundle has no signature beside it', {
      where: basename(given),
      next: 'carry the .sig file along, or name it with --signature',
    })
  }
  verifySignature(content, text, key)
  return true
}

/**
 * The key of `--sign` and `--key`: a file, or `awskms://…`. It is tried before work begins that ends with signing.
 * @throws a usage error for a key that cannot be used; auth and network errors of KMS
 */
export async function openSigner(
  key: string,
  { env, signal, emit }: World,
  caFiles: readonly string[],
): Promise<Signer & { close(): void }> {
  if (!key.startsWith(KMS_SCHEME)) {
    const scheme = /^(?!file:)([a-z0-9+.-]+):\/\//.exec(key)?.[1]
    if (scheme !== undefined) {
      throw usageError(`keys of ${scheme}:// are not known here; a PEM file or ${KMS_SCHEME} is`, {
        next: 'take SHA256SUMS out with tar and sign it yourself: cosign sign-blob --key',
      })
    }
    return { ...keySigner(privateKey(await readText(key, 'key'), basename(key))), close: () => undefined }
  }
  const trust = createTrust({ env, caFiles })
  const kms = await openKmsKey(parseKmsKey(key), { env, trust, signal, emit })
  return {
    publicKey: kms.publicKey,
    sign: (content) => kms.sign(createHash('sha256').update(content).digest()),
    close: () => kms.close(),
  }
}

/** Signs a whole bundle: writes `<bundle>.sig`. */
export async function signFile(
  path: string,
  signer: Signer,
  session: World,
  output = `${bundlePath(path)}.sig`,
): Promise<{ readonly file: string; readonly algorithm: string }> {
  const file = await openBundleFile(path, session)
  try {
    const text = await signBytes(signedBytes(await openBundle(file)), signer)
    await writeBeside(output, text, 'signature', session)
  } finally {
    await file.close()
  }
  return { file: basename(output), algorithm: algorithmOf(signer.publicKey) }
}

/** Signs a bundle that can be read nowhere, by what its plan says: the signature is the same. */
export async function signPlanned(
  { ready }: Plan,
  signer: Signer,
  session: World,
  output: string,
): Promise<{ readonly file: string; readonly algorithm: string }> {
  const text = await signBytes(ready.get(SUMS) ?? new Uint8Array(), signer)
  await writeBeside(output, text, 'signature', session)
  return { file: basename(output), algorithm: algorithmOf(signer.publicKey) }
}

/** The same, of a bundle that took long to write: it is there, even if it cannot be signed now. */
export async function signExported(...to: Parameters<typeof signFile>): ReturnType<typeof signFile> {
  try {
    return await signFile(...to)
  } catch (error) {
    if (!(error instanceof BundleError) || error.kind === 'cancelled') throw error
    throw new BundleError(`the bundle is complete, but could not be signed: ${error.message}`, {
      kind: error.kind,
      ...(error.where === undefined ? {} : { where: error.where }),
      next: `${error.next ?? 'mend that'}; then run: ma-bundle sign ${basename(to[0])} --key <key>`,
      cause: error,
    })
  }
}

/** It lies beside the bundle, or with any of its volumes. */
export function signatureBeside(path: string, volumes: readonly string[] = []): string {
  if (isS3(path)) return `${path}.sig`
  const beside = `${bundlePath(path)}.sig`
  const places = [beside, ...volumes.map((folder) => join(folder, basename(beside)))]
  return places.find((place) => existsSync(place)) ?? beside
}

// --- internal ---

async function readText(file: string, what: string): Promise<string> {
  try {
    return (await readSmall(file)).toString('utf8')
  } catch (error) {
    throw usageError(`cannot read the ${what}: ${whyUnreadable(error)}`, {
      where: basename(file),
      cause: error,
    })
  }
}
