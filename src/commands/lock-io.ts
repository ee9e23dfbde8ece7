import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { decodeLock, encodeLock, type Lock } from '../bundle/lock-file.ts'
import { codeOf, usageError } from '../lib/errors.ts'
import { writeWhole } from './write-whole.ts'

/** @throws a usage error for a file that is not there or is no lock */
export async function readLock(file: string): Promise<Lock> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw usageError(`cannot read the lock: ${codeOf(error) ?? 'unknown error'}`, {
      where: basename(file),
      next: 'write one with: ma-bundle lock',
      cause: error,
    })
  })
  return decodeLock(text, basename(file))
}

export const writeLock = (file: string, lock: Lock): Promise<void> =>
  writeWhole(file, encodeLock(lock), 'lock')
