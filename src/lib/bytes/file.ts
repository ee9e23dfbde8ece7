import { open, type FileHandle } from 'node:fs/promises'
import { integrityError } from '../errors.ts'
import { PIECE, take } from './buffers.ts'
import type { Bytes, RandomReader } from './bytes.ts'

/** A local file as a random reader. `name` is how errors call it. */
export async function openFile(path: string, name = path): Promise<RandomReader> {
  const handle = await open(path, 'r')
  const stat = await handle.stat()
  if (stat.isDirectory()) {
    await handle.close()
    // Opening one is no error, reading it is.
    throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
  }
  const { size } = stat
  return {
    size,
    read: (start, length) => readRange(handle, start, length, name),
    close: () => handle.close(),
  }
}

// --- internal ---

async function* readRange(handle: FileHandle, start: number, length: number, name: string): Bytes {
  let at = start
  const end = start + length
  while (at < end) {
    const buffer = take(Math.min(PIECE, end - at))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) {
      throw integrityError(`the file ends at byte ${at}, before the ${end} it should have`, { where: name })
    }
    at += bytesRead
    yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead)
  }
}
