import type { RandomWriter } from '../../src/archive/random-writer.ts'

/** A disk in memory that loses its power, or its process, at an operation of choice. */
export interface Disk {
  /** What a next run finds. */
  bytes: Uint8Array
  /** The bytes, once it got its name. */
  published: Uint8Array | undefined
}

export class Crash extends Error {}

export interface CrashOptions {
  /** Operations until it happens. */
  readonly after: number
  /** Of what is written and not synced, which pieces of 512 bytes are lost; none after a mere kill. */
  readonly isLost?: () => boolean
}

const PAGE = 512

/** A medium over the disk. Once it has crashed nothing of it works any more, as for a dead process. */
export function memoryMedium(disk: Disk, crash?: CrashOptions): RandomWriter {
  let operations = 0
  let dead = false
  const unsynced = new Map<number, Uint8Array>()
  const tick = (): void => {
    operations += 1
    if (!dead && crash !== undefined && operations > crash.after) {
      dead = true
      for (const [page, before] of unsynced) {
        if (crash.isLost?.() === true && page < disk.bytes.length)
          disk.bytes.set(before.subarray(0, disk.bytes.length - page), page)
      }
    }
    if (dead) throw new Crash('the machine is off')
  }
  return {
    left: disk.bytes.length,
    read(at, length) {
      tick()
      return Promise.resolve(disk.bytes.slice(at, at + length))
    },
    write(chunk, at) {
      tick()
      for (let page = at - (at % PAGE); page < at + chunk.length; page += PAGE) {
        if (!unsynced.has(page)) unsynced.set(page, disk.bytes.slice(page, page + PAGE))
      }
      disk.bytes.set(chunk, at)
    },
    sync() {
      tick()
      unsynced.clear()
      return Promise.resolve()
    },
    resize(size) {
      tick()
      const bytes = new Uint8Array(size)
      bytes.set(disk.bytes.subarray(0, size))
      disk.bytes = bytes
      return Promise.resolve()
    },
    publish() {
      tick()
      disk.published = disk.bytes.slice()
      return Promise.resolve()
    },
    close: () => (dead ? Promise.reject(new Crash('the machine is off')) : Promise.resolve()),
  }
}
