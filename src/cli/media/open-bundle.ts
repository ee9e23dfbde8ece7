import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { isS3 } from '../../aws/s3/location.ts'
import type { RandomReader } from '../../lib/bytes/bytes.ts'
import { codeOf, usageError } from '../../lib/errors.ts'
import { openFile } from '../../lib/bytes/file.ts'
import { didYouMean } from '../../lib/suggest.ts'
import type { Session } from '../session.ts'
import { areVolumes, openVolumeSet } from '../flags/volumes.ts'

/** What opening a bundle may need to know besides its name. */
export type World = Pick<Session, 'env' | 'signal' | 'emit' | 'stdin'> & {
  /** More folders in which its volumes lie. */
  readonly volumes?: readonly string[]
}

/** A kind of place a bundle can be read from. */
interface Place {
  /** Whether the name is of this kind; the first that says so opens it. */
  readonly is: (name: string, world: World) => boolean | Promise<boolean>
  readonly open: (name: string, world: World) => Promise<RandomReader>
}

/**
 * Opens a bundle, wherever it lies.
 * @param name a file, or whatever else of `places` it is
 * @throws a usage error when it cannot be read
 */
export async function openBundleFile(name: string, world: World): Promise<RandomReader> {
  for (const { is, open } of places) if (await is(name, world)) return open(name, world)
  return openLocal(name)
}

/** A file of this machine. */
export async function openLocal(path: string): Promise<RandomReader> {
  try {
    return await openFile(path, basename(path))
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    throw usageError(`cannot read the bundle: ${WHY[code] ?? code}`, {
      where: basename(path),
      next: await nextFor(path, code),
      cause: error,
    })
  }
}

// --- internal ---

/** A pipe is read once and in order; most of what is done with a bundle reads here and there. */
const refusePipe = (): never => {
  throw usageError('a bundle that comes through a pipe can only be imported or verified', {
    next: 'write it into a file, and name that',
  })
}

/** Adding a kind of place is a line here; whatever is none of them is a file. */
const places: readonly Place[] = [
  { is: (name) => name === '-', open: refusePipe },
  { is: isS3, open: async (name, world) => (await import('./s3-options.ts')).openS3Bundle(name, world) },
  { is: areVolumes, open: openVolumeSet },
]

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

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'no permission to read it',
  EISDIR: 'it is a folder',
}
