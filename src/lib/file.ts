import { open, type FileHandle } from 'node:fs/promises'
import { integrityError } from './errors.ts'
import type { Bytes, RandomReader } from './bytes.ts'

/** Large enough to keep the disk and sha256 busy, small enough for many transfers at once. */
const CHUNK = 512 * 1024

/** A local file as a random reader. `name` is how errors call it. */
export async function openFile(path: string, name = path): Promise<RandomReader> {
  const handle = await open(path, 'r')
  const { size } = await handle.stat()
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
    const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK, end - at))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) {
      throw integrityError(`the file ends at byte ${at}, before the ${end} it should have`, { where: name })
    }
    at += bytesRead
    yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead)
  }
}
