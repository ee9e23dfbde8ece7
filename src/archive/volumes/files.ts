import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { open, rename, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { createPool } from '../../lib/pool.ts'
import type { Volume } from './volume.ts'

/** The files of volumes that are being filled, `<name>.partial` each. At most `OPEN` of them are open at a time. */
export interface VolumeFiles {
  /** Bytes of one volume, from `at` on; fewer at its end, none when the file does not exist. */
  read(volume: Volume, at: number, length: number): Promise<Uint8Array>
  write(volume: Volume, chunk: Uint8Array, at: number): void
  /** Syncs those that were written to since the last time. */
  sync(): Promise<void>
  /** Makes it `volume.size` bytes long, and returns the bytes that it takes on the disk. */
  resize(volume: Volume): Promise<void>
  /** The final name. */
  publish(volume: Volume): Promise<void>
  close(): void
}

export const partialName = (name: string): string => `${name}.partial`

export function openVolumeFiles(folder: string): VolumeFiles {
  const open_ = new Map<string, number>()
  const dirty = new Set<string>()
  const pathOf = (name: string): string => join(folder, partialName(name))

  /** The one that was used longest ago makes room. */
  const descriptorOf = (name: string): number => {
    const known = open_.get(name)
    open_.delete(name)
    const descriptor = known ?? openSync(pathOf(name), WRITE)
    open_.set(name, descriptor)
    for (const [oldest, one] of open_) {
      if (open_.size <= OPEN) break
      open_.delete(oldest)
      closeSync(one)
    }
    return descriptor
  }
  const syncOne = (name: string): Promise<void> =>
    // Not the one that writes: that may be closed meanwhile, and its number be another file's.
    using(pathOf(name), constants.O_RDWR, async (handle) => {
      dirty.delete(name)
      try {
        await handle.datasync()
      } catch (error) {
        dirty.add(name)
        throw error
      }
    })
  const close = (): void => {
    for (const descriptor of open_.values()) closeSync(descriptor)
    open_.clear()
  }

  return {
    async read({ name }, at, length) {
      return using(pathOf(name), constants.O_RDONLY, async (handle) => {
        const buffer = Buffer.alloc(length)
        const { bytesRead } = await handle.read(buffer, 0, length, at)
        return buffer.subarray(0, bytesRead)
      })
    },
    write({ name }, chunk, at) {
      const descriptor = descriptorOf(name)
      dirty.add(name)
      for (let done = 0; done < chunk.length;)
        done += writeSync(descriptor, chunk, done, chunk.length - done, at + done)
    },
    async sync() {
      const pool = createPool(SYNCS)
      await Promise.all([...dirty].map((name) => pool.run(() => syncOne(name))))
    },
    resize: ({ name, size }) =>
      using(pathOf(name), WRITE, async (handle) => {
        if ((await handle.stat()).size !== size) await handle.truncate(size)
      }),
    publish: ({ name }) => rename(pathOf(name), join(folder, name)),
    close,
  }
}

// --- internal ---

const OPEN = 64
/** At a time: a journal commits what waits for it together. */
const SYNCS = 16
const WRITE = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW

async function using<Result>(
  path: string,
  flags: number,
  work: (handle: FileHandle) => Promise<Result>,
): Promise<Result> {
  const handle = await open(path, flags, 0o644)
  try {
    return await work(handle)
  } finally {
    await handle.close()
  }
}
