import { BundleError, codeOf, messageOf } from '../lib/errors.ts'
import { whyUnwritable } from '../lib/file-errors.ts'
import type { PlacedEntry } from './tar.ts'

/**
 * Where an archive is filled piece by piece, in any order: one file, or volumes. Offsets are those of the whole
 * archive. Everything that cannot be written is a `WriteError`.
 */
export interface RandomWriter {
  /** Bytes that an earlier run left here; 0 when there was none. */
  readonly left: number
  /** Whether an entry lies outside of what is written here: it is neither checked nor asked for. */
  isElsewhere?(entry: PlacedEntry): boolean
  /** At most `length` bytes from `at` on; fewer where nothing was ever written. */
  read(at: number, length: number): Promise<Uint8Array>
  /** Synchronous: pieces of 64 KiB and more go to the page cache faster than a thread pool can take them. */
  write(chunk: Uint8Array, at: number): void
  /** What is written by now survives a loss of power. */
  sync(): Promise<void>
  /**
   * Makes it `size` bytes long; what is there stays, as far as it fits.
   * @throws WriteError that names the bytes needed, when there is no room
   */
  resize(size: number): Promise<void>
  /** Everything is written: syncs, and gives it its final name. */
  publish(): Promise<void>
  /** Lets go of it. What was written stays for the next run, unless `keep` is false. */
  close(keep: boolean): Promise<void>
}

/** The bundle's own place cannot be written to: no other transfer can succeed either. */
export class WriteError extends BundleError {
  override readonly name = 'WriteError'
}

/** What a system error means for an export. `name` is the file without its folder. */
export function cannotWrite(name: string, error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof BundleError || code === undefined) return error
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  return new WriteError(`cannot write the bundle: ${whyUnwritable(error) ?? messageOf(error)}`, {
    kind: full ? 'failed' : 'usage',
    where: name,
    next: full
      ? 'free space and run the same command again: it continues where it stopped'
      : code === 'EFBIG'
        ? 'write volumes that it takes: --split fat32'
        : 'name another file',
    cause: error,
  })
}
