import { constants, lstatSync } from 'node:fs'
import { lstat, open, rm, type FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'
import { BundleError, codeOf } from '../errors.ts'
import { lockFile, lockHolder } from './flock.ts'

/** Where a file is written until it is whole. Who writes it, in whatever form, has the lock of this one. */
export const partialPath = (path: string): string => `${path}.partial`

/**
 * Opens `<path>.partial` as its only writer: the lock ends with the process, however that ends. Links are not followed,
 * and a file that is known by a second name is not written to.
 * @param options `fresh`: an empty file, made now; otherwise what an earlier run left stays
 * @throws BundleError of kind `failed` that names the process which is writing it; the system's error
 */
export async function openPartial(
  path: string,
  { fresh = false, mode = 0o644 }: { readonly fresh?: boolean; readonly mode?: number } = {},
): Promise<FileHandle> {
  const partial = partialPath(path)
  for (let isOurs = !fresh; ; isOurs = true) {
    await clearTheWay(partial, fresh)
    const handle = await open(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, mode)
    try {
      if (lockFile(handle.fd) === 'held') throw heldBy(lockHolder(handle.fd), path)
      // Its writer may have renamed or removed it just before the lock was free.
      const isThere = await isAt(handle, partial)
      if (isThere && (isOurs || (await handle.stat()).size === 0)) return handle
      // Another process may still have it open.
      if (isThere) await rm(partial)
    } catch (error) {
      await handle.close()
      throw error
    }
    await handle.close()
  }
}

/**
 * Looks whether another run is writing this file, before any work begins.
 * @throws like `openPartial`
 */
export async function refuseHeld(path: string): Promise<void> {
  const partial = partialPath(path)
  if (lstatSync(partial, { throwIfNoEntry: false })?.isFile() !== true) return
  const handle = await open(partial, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    if (lockFile(handle.fd) === 'held') throw heldBy(lockHolder(handle.fd), path)
  } finally {
    await handle.close()
  }
}

/**
 * Takes the lock alone, for a file that is not written as `<path>.partial`: volumes, or one that is changed in place.
 * @throws like `openPartial`
 */
export async function lockPath(path: string): Promise<{ release(): Promise<void> }> {
  const handle = await openPartial(path)
  let isHeld = true
  return {
    async release() {
      if (!isHeld) return
      isHeld = false
      // One with content is what an unfinished run left.
      if ((await handle.stat()).size === 0) await rm(partialPath(path), { force: true })
      await handle.close()
    },
  }
}

/** Whether the open file is the one that lies at this path. */
export async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  const own = await handle.stat()
  const there = lstatSync(path, { throwIfNoEntry: false })
  return there?.ino === own.ino && there.dev === own.dev
}

/** What to say when it is not. */
export const replacedMeanwhile = (path: string): BundleError =>
  new BundleError('the file was replaced while it was written, so it did not get its name', {
    kind: 'failed',
    where: basename(path),
    next: 'see who else writes into this folder, and run the same command again',
  })

// --- internal ---

/** A second name of the same file is another program's file, whose content would be overwritten. */
async function clearTheWay(partial: string, fresh: boolean): Promise<void> {
  try {
    const there = await lstat(partial)
    // A link goes, not what it leads to.
    if (there.isFile() ? there.nlink > 1 : fresh && there.isSymbolicLink()) await rm(partial)
    if (there.isFile() || there.isSymbolicLink()) return
    throw new BundleError('something other than a file is in the way', {
      kind: 'usage',
      where: basename(partial),
      next: 'remove it, or name another file',
    })
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

const heldBy = (holder: number | undefined, path: string): BundleError =>
  new BundleError(`another run is writing it${holder === undefined ? '' : `: process ${holder}`}`, {
    kind: 'failed',
    where: basename(path),
    next: 'wait until it has ended or stop it, then run the same command again: it continues where that one stopped',
  })
