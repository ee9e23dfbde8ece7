import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { readFirst } from '../../../archive/reader.ts'
import { place } from '../../../archive/tar.ts'
import { decodeVolumeList, VOLUMES_LIMIT, type VolumeList } from '../../../archive/volumes/list.ts'
import { joinVolumes, nameParts, partsAt } from '../../../archive/volumes/reader.ts'
import {
  chooseListed,
  chooseNumbered,
  findVolumes,
  type FoundVolumes,
} from '../../../archive/volumes/find.ts'
import type { RandomReader } from '../../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../../lib/errors.ts'
import { digestOf } from '../../../oci/digest.ts'
import { CONTENTS_LIMIT, decodeContents } from '../../format/contents.ts'
import { HEAD } from '../../format/plan.ts'

/** The volumes of a bundle, as one file. */
export interface OpenedVolumes {
  readonly file: RandomReader
  readonly list: VolumeList | undefined
  /** What is strange about the files that were found, for a person. */
  readonly warnings: readonly string[]
}

/**
 * Joins the volumes of one bundle, in whichever folders they lie. One that is missing or wrong is an error only for
 * what lies in it.
 * @param folders the one of the volume that was named first
 * @throws a usage error when nothing shows what belongs together, an integrity error when the first volume is of
 *   another bundle than the list
 */
export async function openVolumes(base: string, folders: readonly string[]): Promise<OpenedVolumes> {
  const found = await findVolumes(base, folders)
  const { list, warnings } = await readLists(found)
  if (list === undefined) {
    const size = await sizeByHead(found, base)
    const chosen = await chooseNumbered(found, base, size)
    return { ...chosen, file: joinVolumes(chosen.parts), list }
  }
  const chosen = await chooseListed(found, list, base)
  const file = joinVolumes(chosen.parts)
  await checkIdentity(file, list)
  return { file, list, warnings: [...warnings, ...chosen.warnings] }
}

/** The list of the volumes of a bundle, without its volumes. */
export async function readVolumeList(
  base: string,
  folders: readonly string[],
): Promise<VolumeList | undefined> {
  return (await readLists(await findVolumes(base, folders))).list
}

// --- internal ---

/** The first list there is; another one that differs is of another bundle. */
async function readLists({
  lists: [path, ...others],
}: FoundVolumes): Promise<{ readonly list: VolumeList | undefined; readonly warnings: readonly string[] }> {
  if (path === undefined) return { list: undefined, warnings: [] }
  const { size } = await stat(path)
  if (size > VOLUMES_LIMIT) {
    throw integrityError(`the list of the volumes has ${size} bytes; at most ${VOLUMES_LIMIT} are read`, {
      where: basename(path),
    })
  }
  const raw = await readFile(path)
  const list = decodeVolumeList(raw, basename(path))
  const warnings: string[] = []
  for (const other of others) {
    if (Buffer.compare(await readFile(other), raw) === 0) continue
    warnings.push(
      `${basename(path)} exists twice with different content; the first one found is used, and the other folder may hold another bundle`,
    )
  }
  return { list, warnings }
}

/** How long the whole is, as its first entry has it. Undefined when that is no bundle of ours, or not all there. */
async function sizeByHead(found: FoundVolumes, base: string): Promise<number | undefined> {
  const { parts } = await chooseNumbered(found, base, undefined)
  const file = joinVolumes(parts)
  try {
    const head = await readFirst(file, HEAD, CONTENTS_LIMIT)
    if (head?.own !== true) return undefined
    const { entries } = decodeContents(head.content)
    return place([{ path: HEAD, size: head.content.length }, ...entries]).size
  } catch (error) {
    if (error instanceof BundleError) return undefined
    throw error
  }
}

/** The first volumes of two bundles of one list may begin and end alike. */
async function checkIdentity(file: RandomReader, { bundle }: VolumeList): Promise<void> {
  const [first] = file.parts ?? []
  if (first === undefined || first.fault !== undefined) return
  const head = await readFirst(file, HEAD, CONTENTS_LIMIT).catch((error: unknown) => {
    // Whoever opens the bundle reads it too, and says what is missing of it.
    if (error instanceof BundleError) return undefined
    throw error
  })
  if (head === undefined || digestOf(head.content) === bundle) return
  throw integrityError(
    `${nameParts(partsAt(file.parts ?? [], 0, head.content.length))} is of another bundle than the list of the volumes, or damaged`,
    { next: 'see which volume is wrong: ma-bundle verify <volume>, for each one' },
  )
}
