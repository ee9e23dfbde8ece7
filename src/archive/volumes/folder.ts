import { readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../lib/errors.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { WriteError } from '../random-writer.ts'
import { partialName } from './files.ts'
import { listedBefore } from './publish.ts'
import { parseVolumesPath, volumeName, type Volume } from './volume.ts'

/**
 * The volumes that an earlier run left half-written.
 * @throws WriteError when they are cut at another size: they would be taken for something else
 */
export async function leftVolumes(folder: string, base: string, split: number): Promise<readonly Volume[]> {
  const suffix = partialName('')
  const numbered = (await readdir(folder)).flatMap((name) => {
    const volume = name.endsWith(suffix) ? parseVolumesPath(name.slice(0, -suffix.length)) : undefined
    return volume?.base === base && volume.number !== undefined
      ? [{ name: name.slice(0, -suffix.length), number: volume.number }]
      : []
  })
  const count = numbered.reduce((most, { number }) => Math.max(most, number), 0)
  const volumes: Volume[] = []
  for (let number = 1; number <= count; number += 1) {
    const found = numbered.find((one) => one.number === number)
    const name = found?.name ?? volumeName(base, number)
    const size = found === undefined ? 0 : (await stat(join(folder, partialName(name)))).size
    if (size > split || (found !== undefined && number < count && size !== split)) {
      throw new WriteError(
        `half-written volumes were split at another size: ${partialName(name)} has ${size} bytes`,
        {
          kind: 'usage',
          where: base,
          next: `continue with the --split they were begun with, or remove ${base}.*.partial to start again`,
        },
      )
    }
    volumes.push({ name, offset: (number - 1) * split, size })
  }
  return volumes
}

/**
 * Volumes that no export listed would be taken for a part of this one, by people and by `cat`. A folder in the place
 * of a volume would be found out by the last rename, after everything was fetched.
 */
export async function refuseStrays(folder: string, base: string, wanted: readonly Volume[]): Promise<void> {
  const own = new Set([...wanted.map(({ name }) => name), ...(await listedBefore(folder, base))])
  const stray = (await readdir(folder, { withFileTypes: true })).find((entry) => {
    const volume = parseVolumesPath(entry.name)
    const isVolume = volume?.base === base && volume.number !== undefined
    return isVolume && (entry.isDirectory() || !own.has(entry.name))
  })?.name
  if (stray === undefined) return
  throw new WriteError(`${stray} is in the way: it would look like a part of this bundle, and is none`, {
    kind: 'usage',
    where: base,
    next: 'remove it, or export under another name',
  })
}

/** @throws WriteError that names the bytes needed, when the folder has no room for them */
export async function checkVolumeSpace(
  folder: string,
  base: string,
  wanted: readonly Volume[],
): Promise<void> {
  let needed = 0
  for (const { name, size } of wanted) needed += Math.max(0, size - (await allocated(folder, name)))
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (needed <= free) return
  throw new WriteError(
    `not enough room: ${plural(wanted.length, 'volume')} need ${formatBytes(needed)} more, ${formatBytes(free)} are free`,
    {
      kind: 'failed',
      where: base,
      next: 'free space, or name a folder on a larger disk: all volumes are written into one folder, and carried from there',
    },
  )
}

/** Other names and fewer files, in an order in which all but the last one are whole, wherever this is cut off. */
export async function rearrange(
  folder: string,
  before: readonly Volume[],
  wanted: readonly Volume[],
): Promise<void> {
  for (const { name } of before.slice(wanted.length).toReversed())
    await rm(join(folder, partialName(name)), { force: true })
  for (const [at, { name, size }] of before.slice(0, wanted.length).entries()) {
    const next = wanted[at]?.name ?? name
    if (next !== name && size > 0) {
      await rename(join(folder, partialName(name)), join(folder, partialName(next)))
    }
  }
}

// --- internal ---

async function allocated(folder: string, name: string): Promise<number> {
  try {
    return (await stat(join(folder, partialName(name)))).blocks * 512
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0
    throw error
  }
}
