import { basename } from 'node:path'
import { decodeLock, encodeLock, type Lock } from '../bundle/spec/lock-file.ts'
import { usageError } from '../lib/errors.ts'
import { readSmall, whyUnreadable } from '../lib/bytes/small-file.ts'
import { writeWhole } from '../lib/bytes/write-whole.ts'

/** Characters of several bytes included. */
const LIMIT = 16 * 1024 * 1024

/** @throws a usage error for a file that is not there or is no lock */
export async function readLock(file: string): Promise<Lock> {
  const text = await readSmall(file, LIMIT).catch((error: unknown) => {
    throw usageError(`cannot read the lock: ${whyUnreadable(error)}`, {
      where: basename(file),
      next: 'write one with: ma-bundle lock',
      cause: error,
    })
  })
  return decodeLock(text.toString('utf8'), basename(file))
}

export const writeLock = (file: string, lock: Lock): Promise<void> =>
  writeWhole(file, encodeLock(lock), 'lock')
