import type { RandomReader } from '../../lib/bytes/bytes.ts'
import { openBundle, type Bundle } from '../format/open.ts'
import { mediumAt } from './at.ts'
import type { Medium, MediumOptions } from './medium.ts'
import { checkTrust, type CheckedSignature, type SignatureOptions } from './trust.ts'

/** A bundle that is open, for as long as `withBundle` runs. */
export interface BundleAt {
  readonly bundle: Bundle
  readonly file: RandomReader
  readonly medium: Medium
  /** What was checked of its signature; undefined when there was no key. */
  readonly signed: CheckedSignature | undefined
}

/**
 * Opens a bundle, checks its signature when a key is given, and closes it when `use` ends.
 * @param name a file, volumes, or an object in S3
 * @throws a usage error when it cannot be read, an integrity error when it is none, is cut off, or not signed
 */
export async function withBundle<Result>(
  name: string,
  options: MediumOptions & SignatureOptions,
  use: (opened: BundleAt) => Promise<Result>,
): Promise<Result> {
  return withBundleOn(await mediumAt(name, options), options, use)
}

/** The same of a medium that is known. */
export async function withBundleOn<Result>(
  medium: Medium,
  options: SignatureOptions,
  use: (opened: BundleAt) => Promise<Result>,
): Promise<Result> {
  const file = await medium.open()
  try {
    const bundle = await openBundle(file)
    const signed = await checkTrust(bundle, medium, options)
    return await use({ bundle, file, medium, signed })
  } finally {
    await file.close()
  }
}
