import { open, rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { codeOf, usageError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import type { Bytes } from './bytes.ts'

/**
 * Writes a file whole or not at all: readers see the old content or the new, never half of it.
 * @returns its size, bytes
 * @throws the system's error, or what `content` throws
 */
export async function replaceFile(
  file: string,
  content: string | Bytes,
  { mode = 0o666 }: { readonly mode?: number } = {},
): Promise<number> {
  const partial = `${file}.partial`
  const handle = await open(partial, 'w', mode)
  let size = 0
  try {
    for await (const piece of typeof content === 'string' ? [Buffer.from(content)] : content) {
      await handle.writeFile(piece)
      size += piece.length
    }
    await handle.close()
    await rename(partial, file)
    return size
  } catch (error) {
    await handle.close()
    await rm(partial, { force: true })
    throw error
  }
}

/**
 * The same for a small text that the user named a place for.
 * @param what it is, for the error: `report`
 * @throws a usage error when it cannot be written
 */
export async function writeWhole(file: string, text: string, what: string): Promise<void> {
  try {
    await replaceFile(file, text)
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    throw usageError(`cannot write the ${what}: ${whyUnwritable(error) ?? code}`, {
      where: basename(file),
      cause: error,
    })
  }
}
