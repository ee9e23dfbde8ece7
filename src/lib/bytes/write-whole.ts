import { rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { BundleError, codeOf, usageError } from '../errors.ts'
import { whyUnwritable } from '../file-errors.ts'
import type { Bytes } from './bytes.ts'
import { isAt, openPartial, partialPath, replacedMeanwhile } from './partial-file.ts'

/**
 * Writes a file whole or not at all: readers see the old content or the new, never half of it. It follows no link, and
 * what an earlier run left is replaced.
 * @returns its size, bytes
 * @throws the system's error, or what `content` throws
 */
export async function replaceFile(
  file: string,
  content: string | Bytes,
  { mode = 0o666 }: { readonly mode?: number } = {},
): Promise<number> {
  const partial = partialPath(file)
  const handle = await openPartial(file, { fresh: true, mode })
  let size = 0
  try {
    for await (const piece of typeof content === 'string' ? [Buffer.from(content)] : content) {
      await handle.writeFile(piece)
      size += piece.length
    }
    await handle.sync()
    if (!(await isAt(handle, partial))) throw replacedMeanwhile(file)
    await rename(partial, file)
    return size
  } catch (error) {
    if (await isAt(handle, partial)) await rm(partial, { force: true })
    throw error
  } finally {
    await handle.close()
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
    if (error instanceof BundleError || code === undefined) throw error
    throw usageError(`cannot write the ${what}: ${whyUnwritable(error) ?? code}`, {
      where: basename(file),
      cause: error,
    })
  }
}
