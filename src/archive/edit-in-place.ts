import { closeSync, constants, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import type { FilePart } from '../lib/bytes/bytes.ts'
import { lockPath } from '../lib/bytes/partial-file.ts'
import { cannotWrite } from './random-writer.ts'

/** Where an archive that is there already is changed in place. Offsets are those of the whole archive. */
export interface RepairWriter {
  write(bytes: Uint8Array, at: number): void
  /** Cuts off what lies behind. */
  truncate(size: number): void
  sync(): void
  close(): Promise<void>
}

/**
 * Opens a bundle to be changed in place, and keeps other runs from writing it meanwhile.
 * @param path of the bundle, of which its volumes are parts
 * @throws an error of kind `failed` that names the process which writes it; a usage error when that is not possible there
 */
export async function lockedRepair(path: string, open: () => RepairWriter): Promise<RepairWriter> {
  try {
    const lock = await lockPath(path)
    try {
      const writer = open()
      return {
        ...writer,
        async close() {
          await writer.close()
          await lock.release()
        },
      }
    } catch (error) {
      await lock.release()
      throw error
    }
  } catch (error) {
    throw cannotWrite(basename(path), error)
  }
}

/** One file. */
export function mendFile(path: string): RepairWriter {
  const file = openSync(path, FLAGS)
  return {
    write: (bytes, at) => writeAll(file, bytes, at),
    truncate: (size) => ftruncateSync(file, size),
    sync: () => fsyncSync(file),
    close: () => Promise.resolve(closeSync(file)),
  }
}

/** Volumes, all of which are there and of the size they have to be: there is nothing to cut off. */
export function mendVolumes(parts: readonly FilePart[]): RepairWriter {
  const open = new Map<FilePart, number>()
  const fileOf = (part: FilePart): number => {
    const file = open.get(part) ?? openSync(part.path ?? '', FLAGS)
    open.set(part, file)
    return file
  }
  return {
    write(bytes, at) {
      for (const part of parts) {
        const from = Math.max(at, part.offset)
        const to = Math.min(at + bytes.length, part.offset + part.size)
        if (to > from) writeAll(fileOf(part), bytes.subarray(from - at, to - at), from - part.offset)
      }
    },
    truncate: () => undefined,
    sync() {
      for (const file of open.values()) fsyncSync(file)
    },
    close() {
      for (const file of open.values()) closeSync(file)
      open.clear()
      return Promise.resolve()
    },
  }
}

// --- internal ---

const FLAGS = constants.O_RDWR

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;)
    done += writeSync(file, bytes, done, bytes.length - done, at + done)
}
