import { existsSync } from 'node:fs'
import { isS3 } from '../../aws/s3/location.ts'
import { getText, putText, type S3Storage } from '../../aws/s3/object.ts'
import { BundleError, codeOf } from '../../lib/errors.ts'
import { readSmall } from '../../lib/bytes/small-file.ts'
import type { World } from './open-bundle.ts'
import { writeWhole } from '../output/write-file.ts'

/** A small text that lies beside a bundle (signature, lock), where the bundle lies; nothing when there is none. */
export async function readBeside(name: string, world: World): Promise<string | undefined> {
  if (isS3(name)) {
    const { s3, location } = (await import('./s3-options.ts')).s3At(name, world)
    return getText(s3, location)
  }
  try {
    return (await readSmall(name)).toString('utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Whether there is one. Who may read the bundle in S3 only, and not list the bucket, is never told; then it counts as absent. */
export async function isBeside(name: string, world: World): Promise<boolean> {
  if (!isS3(name)) return existsSync(name)
  try {
    return (await readBeside(name, world)) !== undefined
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'auth') return false
    throw error
  }
}

/** Writes one, whole or not at all. `what` it is, for the error. */
export async function writeBeside(
  name: string,
  text: string,
  what: string,
  world: World,
  storage: S3Storage = {},
): Promise<void> {
  if (!isS3(name)) return writeWhole(name, text, what)
  const { s3, location } = (await import('./s3-options.ts')).s3At(name, world)
  return putText(s3, location, text, storage)
}
