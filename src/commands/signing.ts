import { readFile, rename, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { openBundle, type Bundle } from '../bundle/open.ts'
import { privateKey, publicKey, signBytes, signedBytes, verifySignature } from '../bundle/sign.ts'
import { codeOf, integrityError, usageError } from '../lib/errors.ts'
import { openBundleFile, type World } from './bundle-file.ts'
import type { Args, ArgsDef } from './flags.ts'

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
  bundle: Bundle,
  {
    bundle: path,
    verifyKey,
    signature = `${path}.sig`,
    requireSignature,
  }: SignatureArgs & { readonly bundle: string },
): Promise<boolean> {
  if (verifyKey === undefined) {
    if (!requireSignature) return false
    throw usageError('a signature is required here, and no key is given to check it with', {
      next:
        'give the public key of whoever signs your bundles: --verify-key <file>, MA_BUNDLE_VERIFY_KEY, ' +
        'or verify-key below "all" in ma-bundle.config.yaml',
    })
  }
  const key = publicKey(await readText(verifyKey, 'key'), basename(verifyKey))
  const content = signedBytes(bundle)
  const text = await readFile(signature, 'utf8').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    throw integrityError('the bundle has no signature beside it', {
      where: basename(signature),
      next: 'carry the .sig file along, or name it with --signature',
    })
  })
  verifySignature(content, text, key)
  return true
}

/** Reads a private key, before work begins that ends with signing. */
export const readPrivateKey = async (file: string) => privateKey(await readText(file, 'key'), basename(file))

/** Signs a whole bundle: writes `<bundle>.sig`. */
export async function signFile(
  path: string,
  key: Awaited<ReturnType<typeof readPrivateKey>>,
  session: World,
  output = `${path}.sig`,
): Promise<{ readonly file: string; readonly algorithm: string }> {
  const file = await openBundleFile(path, session)
  try {
    const signature = signBytes(signedBytes(await openBundle(file)), key)
    await writeFile(`${output}.partial`, signature)
    await rename(`${output}.partial`, output)
  } finally {
    await file.close()
  }
  return {
    file: basename(output),
    algorithm: key.asymmetricKeyType === 'ed25519' ? 'Ed25519' : 'ECDSA P-256',
  }
}

// --- internal ---

async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw usageError(`cannot read the ${what}: ${codeOf(error) ?? 'unknown error'}`, {
      where: basename(file),
      cause: error,
    })
  }
}
