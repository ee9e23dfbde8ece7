import { statSync, writeSync } from 'node:fs'
import { open, rename, rm, statfs, type FileHandle } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { isAt, openPartial, partialPath, replacedMeanwhile } from '../lib/bytes/partial-file.ts'
import { formatBytes } from '../lib/format.ts'
import { cannotWrite, WriteError, type RandomWriter } from './random-writer.ts'

/**
 * One file, `<path>.partial` until it is whole; no other run writes it meanwhile.
 * @throws WriteError when the folder cannot be written to, or another run is writing the bundle
 */
export async function openFileWriter(path: string): Promise<RandomWriter> {
  const partial = partialPath(path)
  const name = basename(path)
  const told = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work()
    } catch (error) {
      throw cannotWrite(name, error)
    }
  }
  const handle = await told(async () => {
    // The rename at the end would find out, after everything was fetched.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
    return openPartial(path)
  })
  const { size } = await handle.stat()
  return {
    left: size,
    read: (at, length) => told(() => readAt(handle, at, length)),
    write(chunk, at) {
      try {
        writeAll(handle, chunk, at)
      } catch (error) {
        throw cannotWrite(name, error)
      }
    },
    sync: () => told(() => handle.datasync()),
    resize: (to) =>
      told(async () => {
        await checkSpace(path, handle, to)
        await handle.truncate(to)
      }),
    publish: () =>
      told(async () => {
        await handle.datasync()
        if (!(await isAt(handle, partial))) throw replacedMeanwhile(path)
        await rename(partial, path)
        if (!(await isAt(handle, path))) throw replacedMeanwhile(path)
        await handle.close()
        await syncFolder(dirname(path))
      }),
    close: (keep) =>
      told(async () => {
        // While the lock is held: behind it, the file may be that of another run.
        if (!keep && (await isAt(handle, partial))) await rm(partial, { force: true })
        await handle.close()
      }),
  }
}

export function writeAll(handle: FileHandle, chunk: Uint8Array, at: number): void {
  let done = 0
  while (done < chunk.length) done += writeSync(handle.fd, chunk, done, chunk.length - done, at + done)
}

/** Up to `length` bytes; fewer at the end of the file. */
export async function readAt(handle: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, at)
  return buffer.subarray(0, bytesRead)
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

// --- internal ---

async function checkSpace(path: string, handle: FileHandle, size: number): Promise<void> {
  const { blocks } = await handle.stat()
  const { bavail, bsize } = await statfs(dirname(path))
  const free = bavail * bsize
  const needed = size - blocks * 512
  if (needed <= free) return
  throw new WriteError(
    `not enough room: the bundle needs ${formatBytes(needed)} more, ${formatBytes(free)} are free`,
    { kind: 'failed', where: basename(path), next: 'free space, or name a file on a larger disk' },
  )
}
