import { rename, rm, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { codeOf, usageError } from '../errors.ts'

/**
 * Writes a small file whole or not at all.
 * @param what it is, for the error: `report`
 * @throws a usage error when it cannot be written
 */
export async function writeWhole(file: string, text: string, what: string): Promise<void> {
  const partial = `${file}.partial`
  try {
    await writeFile(partial, text)
    await rename(partial, file)
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    await rm(partial, { force: true }).catch((again: unknown) => {
      if (codeOf(again) === undefined) throw again
    })
    throw usageError(`cannot write the ${what}: ${WHY[code] ?? code}`, {
      where: basename(file),
      cause: error,
    })
  }
}

// --- internal ---

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  EACCES: 'no permission to write there',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
}
