import { basename } from 'node:path'
import type { Bundle } from '../../bundle/format/open.ts'
import { isBeside } from '../media/sidecar.ts'
import type { World } from '../media/open-bundle.ts'
import { checkSignature, signatureBeside, type SignatureArgs } from './signing.ts'

/** What is known of a bundle's signature. */
export type SignatureState =
  | { readonly state: 'checked'; readonly key: string }
  /** It lies beside the bundle, and nobody gave a key to check it with. */
  | { readonly state: 'unchecked'; readonly file: string }
  | { readonly state: 'none' }

/** @throws an integrity error for a signature that is not of this bundle with the given key */
export async function signatureStateOf(
  bundle: Bundle,
  args: SignatureArgs & { readonly bundle: string; readonly volumes?: readonly string[] },
  world: World,
): Promise<SignatureState> {
  if (await checkSignature(bundle, args, world))
    return { state: 'checked', key: basename(args.verifyKey ?? '') }
  const beside = args.signature ?? signatureBeside(args.bundle, args.volumes)
  return (await isBeside(beside, world)) ? { state: 'unchecked', file: basename(beside) } : { state: 'none' }
}
