import { closeSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'

const LIMIT = 1024 * 1024
const PIECE = 64 * 1024

/**
 * A small file, whole. A larger one is refused before it fills the memory, also when it has no size of its own, as
 * devices and pipes have none.
 * @throws the system's error, or one of code `EFBIG`
 */
export async function readSmall(path: string, limit = LIMIT): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const pieces: Buffer[] = []
    let size = 0
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE), 0, PIECE, null)
      if (bytesRead === 0) return Buffer.concat(pieces)
      size = grown(size, bytesRead, limit)
      pieces.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/** The same, at once. */
export function readSmallSync(path: string, limit = LIMIT): Buffer {
  const file = openSync(path, 'r')
  try {
    const pieces: Buffer[] = []
    let size = 0
    for (;;) {
      const buffer = Buffer.allocUnsafe(PIECE)
      const bytesRead = readSync(file, buffer, 0, PIECE, null)
      if (bytesRead === 0) return Buffer.concat(pieces)
      size = grown(size, bytesRead, limit)
      pieces.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    closeSync(file)
  }
}

export { whyUnreadable } from '../file-errors.ts'

// --- internal ---

function grown(size: number, more: number, limit: number): number {
  if (size + more <= limit) return size + more
  throw Object.assign(new Error(`more than ${limit} bytes`), { code: 'EFBIG' })
}
