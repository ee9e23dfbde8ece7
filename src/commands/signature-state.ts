import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Bundle } from '../bundle/open.ts'
import { checkSignature, type SignatureArgs } from './signing.ts'

/** What is known of a bundle's signature. */
export type SignatureState =
  | { readonly state: 'checked'; readonly key: string }
  /** It lies beside the bundle, and nobody gave a key to check it with. */
  | { readonly state: 'unchecked'; readonly file: string }
  | { readonly state: 'none' }

/** @throws an integrity error for a signature that is not of this bundle with the given key */
export async function signatureStateOf(
  bundle: Bundle,
  args: SignatureArgs & { readonly bundle: string },
): Promise<SignatureState> {
  if (await checkSignature(bundle, args)) return { state: 'checked', key: basename(args.verifyKey ?? '') }
  const beside = args.signature ?? `${args.bundle}.sig`
  return existsSync(beside) ? { state: 'unchecked', file: basename(beside) } : { state: 'none' }
}
