import { basename } from 'node:path'
import type { RandomReader } from '../lib/bytes.ts'
import { codeOf, usageError } from '../lib/errors.ts'
import { openFile } from '../lib/file.ts'

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'no permission to read it',
  EISDIR: 'it is a folder',
}

/**
 * Opens a bundle on this machine.
 * @throws a usage error
 */
export async function openLocal(path: string): Promise<RandomReader> {
  try {
    return await openFile(path, basename(path))
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    throw usageError(`cannot read the bundle: ${WHY[code] ?? code}`, { where: basename(path), cause: error })
  }
}
