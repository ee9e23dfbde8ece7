import { constants, statSync, writeSync } from 'node:fs'
import { open, rename, rm, statfs, type FileHandle } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Bytes } from '../lib/bytes.ts'
import { BundleError, codeOf, messageOf } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import { BLOCK, encodeHeader, place, type Entry, type Placed } from './tar.ts'

/**
 * Fills the archive in any order, each entry straight at its final offset. An entry's header is written after its
 * content is verified and synced, so the header is the commit record: entries whose header is there are whole, also
 * after a crash, and a later run with the same list continues from them.
 */
export interface ArchiveWriter {
  /** Bytes of the whole archive. */
  readonly size: number
  /** Whether an earlier run already committed this entry. */
  has(path: string): boolean
  /** Writes an entry's content; it must be exactly as long as planned, and already verified. */
  write(path: string, content: Bytes): Promise<void>
  /** Syncs, and gives the archive its final name. Every entry must have been written. */
  commit(): Promise<void>
  /** Closes without the final name; what is committed stays for the next run. */
  close(): Promise<void>
}

/** The bundle's own file cannot be written: no other transfer can succeed either. */
export class WriteError extends BundleError {
  override readonly name = 'WriteError'
}

/** Content is synced in batches of this size before its headers are written: one sync per blob would halve the speed. */
const SYNC_BATCH = 64 * 1024 * 1024

/**
 * @param head content of the first entry: it names all others, so a partial file that begins with it is of the same plan
 * @throws when the disk lacks room, or the folder cannot be written to
 */
export async function openArchiveWriter(
  path: string,
  entries: readonly Entry[],
  head: Uint8Array,
): Promise<ArchiveWriter> {
  const partial = `${path}.partial`
  const placement = place(entries)
  const places = new Map(placement.entries.map((entry) => [entry.path, entry]))
  const handle = await openPartial(path, partial).catch((error: unknown) => {
    throw cannotWrite(path, error)
  })
  const committed = new Set<string>()
  let waiting: Placed[] = []
  let waitingBytes = 0
  let flushing = Promise.resolve()

  const flush = async (): Promise<void> => {
    const batch = waiting
    waiting = []
    waitingBytes = 0
    await handle.datasync()
    for (const entry of batch) {
      writeAll(handle, encodeHeader(entry), entry.headerAt)
      committed.add(entry.path)
    }
  }
  /** One flush at a time; a failed one fails the writers that come after it. */
  const flushSoon = (): Promise<void> => (flushing = flushing.then(flush))

  try {
    if (await isSamePlan(handle, head, placement.entries)) {
      for (const entry of placement.entries) if (await isCommitted(handle, entry)) committed.add(entry.path)
    } else {
      await handle.truncate(0)
    }
    await checkSpace(path, handle, placement.size)
    await handle.truncate(placement.size)
    const first = placement.entries[0]
    if (first !== undefined && !committed.has(first.path)) {
      writeAll(handle, head, first.dataAt)
      waiting.push(first)
      await flushSoon()
    }
  } catch (error) {
    await handle.close()
    if (committed.size === 0) await rm(partial, { force: true })
    throw cannotWrite(path, error)
  }

  return {
    size: placement.size,
    has: (entry) => committed.has(entry),
    async write(name, content) {
      const entry = places.get(name)
      if (entry === undefined) throw new Error(`not in the plan: ${name}`)
      let at = entry.dataAt
      for await (const chunk of content) {
        if (at + chunk.length > entry.dataAt + entry.size) throw new Error(`longer than planned: ${name}`)
        try {
          writeAll(handle, chunk, at)
        } catch (error) {
          throw cannotWrite(path, error)
        }
        at += chunk.length
      }
      if (at !== entry.dataAt + entry.size) throw new Error(`shorter than planned: ${name}`)
      waiting.push(entry)
      waitingBytes += entry.size
      if (waitingBytes >= SYNC_BATCH) await flushSoon()
    },
    async commit() {
      try {
        await flushSoon()
        const lacking = placement.entries.find((entry) => !committed.has(entry.path))
        if (lacking !== undefined) throw new Error(`never written: ${lacking.path}`)
        await handle.datasync()
        await handle.close()
        await rename(partial, path)
        await syncFolder(dirname(path))
      } catch (error) {
        throw cannotWrite(path, error)
      }
    },
    async close() {
      try {
        if (waiting.length > 0) await flushSoon()
      } finally {
        await handle.close()
        if (committed.size === 0) await rm(partial, { force: true })
      }
    },
  }
}

// --- internal ---

/** The rename at the end would find out, after everything was fetched. */
function refuseFolder(path: string): void {
  const there = statSync(path, { throwIfNoEntry: false })
  if (there?.isDirectory() === true) throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' })
}

async function openPartial(path: string, partial: string): Promise<FileHandle> {
  refuseFolder(path)
  return open(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644)
}

/** Synchronous: pieces of 64 KiB and more go to the page cache faster than a thread pool can take them. */
function writeAll(handle: FileHandle, chunk: Uint8Array, at: number): void {
  let done = 0
  while (done < chunk.length) done += writeSync(handle.fd, chunk, done, chunk.length - done, at + done)
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, at)
  return buffer.subarray(0, bytesRead)
}

async function isSamePlan(
  handle: FileHandle,
  head: Uint8Array,
  entries: readonly Placed[],
): Promise<boolean> {
  const first = entries[0]
  if (first === undefined || (await handle.stat()).size === 0) return false
  return (
    (await isCommitted(handle, first)) &&
    Buffer.compare(await readAt(handle, first.dataAt, head.length), head) === 0
  )
}

async function isCommitted(handle: FileHandle, entry: Placed): Promise<boolean> {
  const found = await readAt(handle, entry.headerAt, BLOCK)
  return Buffer.compare(found, encodeHeader(entry)) === 0
}

async function checkSpace(path: string, handle: FileHandle, size: number): Promise<void> {
  const { blocks } = await handle.stat()
  const { bavail, bsize } = await statfs(dirname(path))
  const free = bavail * bsize
  const needed = size - blocks * 512
  if (needed > free) {
    throw new WriteError(
      `not enough room: the bundle needs ${formatBytes(needed)} more, ${formatBytes(free)} are free`,
      { kind: 'failed', where: basename(path), next: 'free space, or name a file on a larger disk' },
    )
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'no permission to write there',
  EPERM: 'no permission to write there',
  EROFS: 'the file system is read-only',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  EFBIG: 'the file system takes no files of that size',
  ELOOP: 'a link stands in the way',
  EIO: 'the disk reports an error',
}

function cannotWrite(path: string, error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof BundleError || code === undefined) return error
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  return new WriteError(`cannot write the bundle: ${WHY[code] ?? messageOf(error)}`, {
    kind: full ? 'failed' : 'usage',
    where: basename(path),
    next: full
      ? 'free space and run the same command again: it continues where it stopped'
      : 'name another file',
    cause: error,
  })
}
