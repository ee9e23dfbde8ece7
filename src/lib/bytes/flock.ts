import { dlopen, read, type Pointer } from 'bun:ffi'
import { fstatSync, readFileSync } from 'node:fs'

/**
 * Takes the lock of an open file: flock(2), which ends with the process whatever ends it, and holds across containers
 * of one machine. Node and Bun have no call for it.
 * @returns `held` when another process has it; `unknown` where the file system has no locks
 */
export function lockFile(descriptor: number): 'taken' | 'held' | 'unknown' {
  library ??= load()
  if (library === undefined) return 'unknown'
  if (library.flock(descriptor, LOCK_EX | LOCK_NB) === 0) return 'taken'
  return library.errno() === EAGAIN ? 'held' : 'unknown'
}

/** The process that has the lock of an open file; undefined where the system does not say. */
export function lockHolder(descriptor: number): number | undefined {
  const { ino, dev } = fstatSync(descriptor, { bigint: true })
  // As the kernel splits a device: https://man7.org/linux/man-pages/man3/makedev.3.html
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)
  const hex = (value: bigint): string => value.toString(16).padStart(2, '0')
  const file = `${hex(major)}:${hex(minor)}:${ino}`
  const line = locks().find((one) => one.includes('FLOCK') && one.includes(` ${file} `))
  const process = Number(/ (\d+) [0-9a-f]+:[0-9a-f]+:\d+ /.exec(line ?? '')?.[1])
  return process > 0 ? process : undefined
}

// --- internal ---

/** https://man7.org/linux/man-pages/man2/flock.2.html; the numbers are the same on macOS. */
const LOCK_EX = 2
const LOCK_NB = 4
const EAGAIN = process.platform === 'darwin' ? 35 : 11

interface Library {
  flock(descriptor: number, operation: number): number
  errno(): number
}

let library: Library | undefined

const LIBRARIES =
  process.platform === 'darwin'
    ? ['libSystem.B.dylib']
    : ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]

function load(): Library | undefined {
  const place = process.platform === 'darwin' ? '__error' : '__errno_location'
  for (const name of LIBRARIES) {
    try {
      const { symbols } = dlopen(name, {
        flock: { args: ['int', 'int'], returns: 'int' },
        [place]: { args: [], returns: 'ptr' },
      })
      return {
        flock: (descriptor, operation) => symbols['flock']?.(descriptor, operation) ?? -1,
        errno: () => read.i32(symbols[place]?.() as Pointer),
      }
    } catch {
      // Of another C library; where there is none of them, nobody can lock.
      continue
    }
  }
  return undefined
}

/** https://man7.org/linux/man-pages/man5/proc_locks.5.html */
function locks(): readonly string[] {
  try {
    return readFileSync('/proc/locks', 'utf8').split('\n')
  } catch {
    return []
  }
}
