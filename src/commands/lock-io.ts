import { readFile, rename, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { decodeLock, encodeLock, type Lock } from '../bundle/lock-file.ts'
import { codeOf, usageError } from '../lib/errors.ts'

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

/** Whole or not at all. */
export async function writeLock(file: string, lock: Lock): Promise<void> {
  try {
    await writeFile(`${file}.partial`, encodeLock(lock))
    await rename(`${file}.partial`, file)
  } catch (error) {
    throw usageError(`cannot write the lock: ${codeOf(error) ?? 'unknown error'}`, {
      where: basename(file),
      cause: error,
    })
  }
}
