import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { FilePart } from '../../lib/bytes/bytes.ts'
import { usageError, codeOf } from '../../lib/errors.ts'
import { whyUnreadable } from '../../lib/file-errors.ts'
import { openFile } from '../../lib/bytes/file.ts'
import { edgesOf } from './edges.ts'
import type { VolumeList } from './list.ts'
import { MISSING } from './reader.ts'
import { listPath, MIN_SPLIT, parseVolumesPath, volumeName, type SealedVolume } from './volume.ts'

/** A file that is called like a volume of the set. */
export interface FoundVolume {
  readonly number: number
  readonly name: string
  readonly path: string
  readonly size: number
}

/** What lies in the folders under the name of one bundle. */
export interface FoundVolumes {
  readonly volumes: readonly FoundVolume[]
  /** Paths of lists of volumes. */
  readonly lists: readonly string[]
}

/** The volumes of a set, and what is strange about the files that were found. */
export interface ChosenVolumes {
  readonly parts: readonly FilePart[]
  readonly warnings: readonly string[]
}

/**
 * Looks for everything that is called like a volume of `base`.
 * @throws a usage error for a folder that cannot be read
 */
export async function findVolumes(base: string, folders: readonly string[]): Promise<FoundVolumes> {
  const volumes: FoundVolume[] = []
  const lists: string[] = []
  for (const folder of new Set(folders)) {
    for (const name of await namesIn(folder)) {
      const parsed = parseVolumesPath(name)
      if (parsed?.base !== base) continue
      const path = join(folder, name)
      if (parsed.number === undefined) lists.push(listPath(folder, base))
      else volumes.push({ number: parsed.number, name, path, size: (await stat(path)).size })
    }
  }
  return { volumes: volumes.toSorted((a, b) => a.number - b.number), lists }
}

/**
 * Whether a name means volumes: one of them, their list, or the bundle they are of when that file does not exist.
 * @param more folders in which they may lie
 */
export async function areVolumes(name: string, more: readonly string[]): Promise<boolean> {
  const parsed = parseVolumesPath(name)
  if (parsed === undefined && existsSync(name)) return false
  const { folder, base } = parsed ?? { folder: dirname(name), base: basename(name) }
  const found = await findVolumes(base, [folder, ...more].filter(existsSync))
  if (found.lists.length > 0) return true
  // The end of a name may be a year; the end of three digits hardly is.
  const isYear = (parsed?.number ?? 0) >= 1000 && found.volumes.every(({ number }) => number !== 1)
  return found.volumes.length > 0 && !isYear
}

/** Each volume of the list where it was found, or why it cannot be used. */
export async function chooseListed(
  { volumes }: FoundVolumes,
  list: VolumeList,
  base: string,
): Promise<ChosenVolumes> {
  const warnings: string[] = []
  const parts: FilePart[] = []
  for (const [at, listed] of list.volumes.entries()) {
    const candidates = volumes.filter(({ number }) => number === at + 1)
    // The set may have been given another name since.
    const name = candidates[0]?.name ?? base + listed.name.slice(listed.name.lastIndexOf('.'))
    parts.push({
      ...(await choose(candidates, listed, name, warnings)),
      name,
      offset: listed.offset,
      digest: listed.digest,
    })
  }
  const stray = volumes.filter(({ number }) => number > list.volumes.length)
  for (const { name } of stray) warnings.push(`${name} is no volume of this bundle, and is passed over`)
  return { parts, warnings }
}

/**
 * Without a list: by their numbers. All but the last are of one size.
 * @param size bytes of all together, when that is known
 */
export async function chooseNumbered(
  { volumes }: FoundVolumes,
  base: string,
  size: number | undefined,
): Promise<ChosenVolumes> {
  const first = volumes.find(({ number }) => number === 1)
  if (first === undefined) {
    throw usageError(`${volumeName(base, 1)} ${MISSING}, and so is the list of the volumes`, {
      where: base,
      next: `carry ${basename(listPath('', base))} along, or name the folder of what is missing with --volumes`,
    })
  }
  const most = volumes.at(-1)?.number ?? 1
  const split = commonSize(most === 1 ? volumes : volumes.filter(({ number }) => number < most))
  const count = size === undefined ? most : Math.max(1, Math.ceil(size / Math.max(split, MIN_SPLIT)))
  const parts: FilePart[] = []
  for (let number = 1; number <= count; number += 1) {
    const offset = (number - 1) * split
    const candidates = volumes.filter((one) => one.number === number)
    const [found] = candidates
    const isLast = number === count
    const rest = size === undefined ? (found?.size ?? split) : size - offset
    const wanted = isLast ? rest : split
    const name = found?.name ?? volumeName(base, number, first.name.length - base.length - 1)
    const fault = await numberedFault(candidates, wanted)
    parts.push({
      name,
      offset,
      size: wanted,
      ...(fault === undefined ? { path: found?.path ?? '' } : { fault }),
    })
  }
  const warnings = volumes
    .filter(({ number }) => number > count)
    .map(({ name }) => `${name} lies behind the end of the bundle, and is passed over`)
  return { parts, warnings }
}

// --- internal ---

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    throw usageError(`cannot look for volumes: ${whyUnreadable(error, 'folder')}`, {
      where: basename(folder),
      next: 'name folders that are there with --volumes, one each',
      cause: error,
    })
  }
}

/** What most of them have: the first one may be cut off like any other. */
function commonSize(volumes: readonly FoundVolume[]): number {
  const counts = new Map<number, number>()
  for (const { size } of volumes) counts.set(size, (counts.get(size) ?? 0) + 1)
  return [...counts].toSorted((a, b) => b[1] - a[1] || b[0] - a[0])[0]?.[0] ?? 0
}

type Choice = Pick<FilePart, 'size' | 'path' | 'fault'>

async function choose(
  candidates: readonly FoundVolume[],
  { size, edges }: SealedVolume,
  name: string,
  warnings: string[],
): Promise<Choice> {
  const judged = await Promise.all(
    candidates.map(async (one) => ({ ...one, like: one.size === size ? await likeness(one, edges) : -1 })),
  )
  const best = judged.toSorted((a, b) => b.like - a.like)[0]
  if (best === undefined) return { size, fault: MISSING }
  const isDoubled = judged.some(({ like, size: other }) => like !== best.like || other !== best.size)
  if (best.like > 0) {
    if (isDoubled)
      warnings.push(`${name} exists twice with different content; the one that is listed is read`)
    if (best.like === 1)
      warnings.push(`${name} is damaged: its first or its last bytes are not those that are listed`)
    return { size, path: best.path }
  }
  if (best.like === 0)
    return { size, fault: 'is of another bundle, or damaged from its first byte to its last' }
  const { size: found } = best
  const what = found < size ? 'is cut off, or of another bundle' : 'is of another bundle'
  return { size, fault: `${what}: it has ${found} bytes, and ${size} are listed` }
}

/** How many of its edges are those that are listed. */
async function likeness({ path, name }: FoundVolume, edges: readonly string[]): Promise<number> {
  const found = await edgesAt(path, name)
  return found.filter((edge, at) => edge === edges[at]).length
}

async function edgesAt(path: string, name: string): Promise<readonly string[]> {
  const file = await openFile(path, name)
  try {
    return await edgesOf(file)
  } finally {
    await file.close()
  }
}

/** What is wrong with the volumes of one number. Only one that lies in two places can be compared with anything. */
async function numberedFault(
  candidates: readonly FoundVolume[],
  wanted: number,
): Promise<string | undefined> {
  const [first, ...others] = candidates
  if (first === undefined) return MISSING
  const own = others.length === 0 ? [] : await edgesAt(first.path, first.name)
  for (const other of others) {
    const same = other.size === first.size && (await edgesAt(other.path, other.name)).join() === own.join()
    if (!same) return 'exists twice with different content, and no list of the volumes shows which is right'
  }
  if (first.size === wanted) return undefined
  const what = first.size < wanted ? 'is cut off, or of another bundle' : 'is of another bundle'
  return `${what}: it has ${first.size} bytes where ${wanted} belong`
}
