import { existsSync } from 'node:fs'
import { access, constants, readdir, stat, statfs } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { lockedRepair, mendFile } from '../../archive/edit-in-place.ts'
import { cannotWrite } from '../../archive/random-writer.ts'
import type { RandomReader } from '../../lib/bytes/bytes.ts'
import { openFile } from '../../lib/bytes/file.ts'
import { refuseHeld } from '../../lib/bytes/partial-file.ts'
import { codeOf, usageError } from '../../lib/errors.ts'
import { whyUnreadable } from '../../lib/file-errors.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import { nothingToAbandon, streamOf, type Medium, type MediumOptions } from './medium.ts'
import { localSidecars } from './sidecar.ts'

/** One file of this machine. */
export function fileMedium(path: string, options: MediumOptions): Medium {
  const name = basename(path)
  const open: Medium['open'] = () => openLocal(path)
  return {
    kind: 'file',
    name,
    stem: path,
    can: { seek: true, edit: true, sidecar: true },
    free: () => freeAt(path),
    check: () => checkFolder(path),
    open,
    earlier: () => openEarlier(path),
    stream: (use) => streamOf(open, use),
    async write(prepared, network) {
      const { openFileWriter } = await import('../../archive/file-writer.ts')
      const { fillArchive } = await import('../export/write-archive.ts')
      const filled = await fillArchive(await openFileWriter(path), prepared.plan, network)
      return { ...filled, name, travels: 'carried' }
    },
    edit: () => lockedRepair(path, () => mendFile(path)),
    abandon: nothingToAbandon,
    ...localSidecars(path, options),
  }
}

/** @throws a usage error that says why it cannot be read, and what may be meant */
export async function openLocal(path: string): Promise<RandomReader> {
  try {
    return await openFile(path, basename(path))
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    throw usageError(`cannot read the bundle: ${whyUnreadable(error)}`, {
      where: basename(path),
      next: await nextFor(path, code),
      cause: error,
    })
  }
}

/** A new bundle is written beside it, and gets its name at the end. */
async function openEarlier(path: string): Promise<RandomReader | undefined> {
  try {
    return await openFile(path, basename(path))
  } catch (error) {
    // What cannot be read is replaced as if it were not there.
    if (codeOf(error) === undefined) throw error
    return undefined
  }
}

/**
 * Whether a bundle can be written to this path: an export finds out in its first second, not after all is resolved.
 * @throws a usage error that says why not; one of kind `failed` when another run is writing it
 */
export async function checkFolder(path: string): Promise<void> {
  const length = Buffer.byteLength(basename(path))
  if (length > LONGEST_NAME) {
    throw usageError(
      `the name has ${length} bytes; at most ${LONGEST_NAME} leave room for the endings of what is next to a bundle`,
      { where: `${basename(path).slice(0, 40)}…`, next: 'choose a shorter name' },
    )
  }
  try {
    await access(dirname(path), constants.W_OK | constants.X_OK)
    if (existsSync(path) && (await stat(path)).isDirectory())
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
    await refuseHeld(path)
  } catch (error) {
    throw cannotWrite(basename(path), error)
  }
}

/** Bytes free where a file of this path would lie; unknown for what no folder of this machine holds. */
export async function freeAt(path: string): Promise<number | undefined> {
  if (path.includes('://')) return undefined
  let folder = dirname(resolve(path))
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

// --- internal ---

/** File systems take 255 bytes. */
const LONGEST_NAME = 255 - '.volumes.json.partial'.length

/** A name that is nearly right is the usual slip, a folder in place of a file in it the next. */
async function nextFor(path: string, code: string): Promise<string> {
  if (code === 'EACCES') return 'check the owner and the mode of the file and its folder'
  const folder = code === 'EISDIR' ? path : dirname(path)
  // A hint, no more: a folder that cannot be listed gives none.
  const there = existsSync(folder) ? await readdir(folder) : []
  if (code === 'EISDIR') {
    const bundles = there.filter((name) => /\.(tar|tar\.001)$/.test(name)).toSorted()
    return bundles.length === 0 ? 'name a file' : `name a file in it: ${bundles.slice(0, 3).join(', ')}`
  }
  return didYouMean(basename(path), there) ?? 'check the name, and that its medium is there'
}
