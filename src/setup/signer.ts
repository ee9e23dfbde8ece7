import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { KMS_SCHEME, parseKmsKey } from '../aws/kms/key-name.ts'
import { openKmsKey } from '../aws/kms/key.ts'
import { usageError } from '../lib/errors.ts'
import { keySigner, privateKey, type Signer } from '../bundle/format/signature.ts'
import { readKey } from '../bundle/media/trust.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'

/**
 * Opens a key that signs: a file, or `awskms://…`. It is tried before work begins that ends with signing.
 * @throws a usage error for a key that cannot be used; auth and network errors of KMS
 */
export async function openSigner(
  key: string,
  { aws, signal, emit }: Surroundings,
  caFiles: readonly string[],
): Promise<Signer & { close(): void }> {
  if (!key.startsWith(KMS_SCHEME)) {
    const scheme = /^(?!file:)([a-z0-9+.-]+):\/\//.exec(key)?.[1]
    if (scheme !== undefined) {
      throw usageError(`keys of ${scheme}:// are not known here; a PEM file or ${KMS_SCHEME} is`, {
        next: 'take SHA256SUMS out with tar and sign it yourself: cosign sign-blob --key',
      })
    }
    return { ...keySigner(privateKey(await readKey(key), basename(key))), close: () => undefined }
  }
  const kms = await openKmsKey(parseKmsKey(key), { aws: await aws('bundle'), caFiles, signal, emit })
  return {
    publicKey: kms.publicKey,
    sign: (content) => kms.sign(createHash('sha256').update(content).digest()),
    close: () => kms.close(),
  }
}
