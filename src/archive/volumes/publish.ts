import { readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { BundleError, codeOf } from '../../lib/errors.ts'
import { openPartial } from '../../lib/bytes/partial-file.ts'
import { syncFolder } from '../file-writer.ts'
import { partialName } from './files.ts'
import { decodeVolumeList, encodeVolumeList, encodeVolumeSums, type VolumeList } from './list.ts'
import { listPath, sumsPath, type Volume } from './volume.ts'

/**
 * Gives the volumes their names. Their list is written down before the first of them is renamed, and gets its own name
 * behind the last: where only `<list>.partial` is there, this was cut off.
 */
export async function publishVolumes(
  folder: string,
  base: string,
  list: VolumeList,
  publish: (volume: Volume) => Promise<void>,
): Promise<void> {
  const path = listPath(folder, base)
  const sums = sumsPath(folder, base)
  await writeSynced(path, encodeVolumeList(list))
  await writeSynced(sums, encodeVolumeSums(list))
  const current = new Set(list.volumes.map(({ name }) => name))
  for (const name of await listedBefore(folder, base))
    if (!current.has(name)) await rm(join(folder, name), { force: true })
  await rm(path, { force: true })
  await rm(sums, { force: true })
  await syncFolder(folder)
  for (const volume of list.volumes) await publish(volume)
  await syncFolder(folder)
  await rename(partialName(sums), sums)
  await rename(partialName(path), path)
  await syncFolder(folder)
}

/** Takes back what `publishVolumes` did before it was cut off, so that the writer finds everything where it left it. */
export async function unpublish(folder: string, base: string): Promise<void> {
  const partial = partialName(listPath(folder, base))
  const list = await readList(partial)
  for (const { name, size } of list?.volumes ?? []) {
    const [final, half] = [join(folder, name), join(folder, partialName(name))]
    if ((await sizeOf(half)) === undefined && (await sizeOf(final)) === size) await rename(final, half)
  }
  await rm(partial, { force: true })
  await rm(partialName(sumsPath(folder, base)), { force: true })
}

/** Names of the volumes that the export before this one wrote here. */
export async function listedBefore(folder: string, base: string): Promise<readonly string[]> {
  const list = await readList(listPath(folder, base))
  return list?.volumes.map(({ name }) => name) ?? []
}

// --- internal ---

/** As `<path>.partial`. */
async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await openPartial(path, { fresh: true })
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Undefined when it is not there, or is no list. */
async function readList(path: string): Promise<VolumeList | undefined> {
  try {
    return decodeVolumeList(await readFile(path), basename(path))
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof BundleError) return undefined
    throw error
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
