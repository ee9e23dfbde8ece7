import { basename, dirname, join } from 'node:path'
import { usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import type { Digest } from '../../oci/digest.ts'

/** A piece of an archive that is cut into files: `bundle.tar.001`, `bundle.tar.002`, … Joined they are the archive. */
export interface Volume {
  /** Without folders. */
  readonly name: string
  /** Where it begins in the archive, bytes. */
  readonly offset: number
  readonly size: number
}

/** A volume as it was written. */
export interface SealedVolume extends Volume {
  readonly digest: Digest
  /** What its first and its last bytes are known by, so that a volume of another bundle is recognised without reading it. */
  readonly edges: readonly [first: string, last: string]
}

/** Where the volumes of one archive lie, and what they are called. */
export interface VolumesPath {
  readonly folder: string
  /** Name of the archive: `bundle.tar`. */
  readonly base: string
  /** The volume that was named, from 1 on. */
  readonly number?: number
}

/** Less is no medium of this world, and makes files without end. */
export const MIN_SPLIT = 64 * 1024

/** One byte less than 4 GiB is the most that FAT32 takes in a file; whole blocks of it. */
const FAT32 = 4 * 1024 ** 3 - 512

/** What fits with the file system and `<bundle>.volumes.json` beside it. */
export const SPLIT_NAMES = {
  fat32: FAT32,
  cd: 650_000_000,
  dvd: 4_600_000_000,
  'dvd-dl': 8_400_000_000,
  bluray: 24_000_000_000,
  'bluray-dl': 48_000_000_000,
} as const

/** Who writes 4GiB means FAT32, and would be refused for the one byte that it does not take. */
export const splitSize = (wanted: number): number => (wanted === 4 * 1024 ** 3 ? FAT32 : wanted)

/**
 * @param split the most that a volume may have, bytes
 * @throws a usage error when there would be more files than anybody can handle
 */
export function cutVolumes(base: string, size: number, split: number): readonly Volume[] {
  const count = Math.max(1, Math.ceil(size / split))
  if (count > MAX_VOLUMES) {
    throw usageError(
      `${formatBytes(size)} cut at ${formatBytes(split)} would make ${count} volumes; at most ${MAX_VOLUMES} are written`,
      { where: 'flag --split', next: `split at ${formatBytes(Math.ceil(size / MAX_VOLUMES))} or more` },
    )
  }
  const digits = Math.max(MIN_DIGITS, String(count).length)
  return Array.from({ length: count }, (_, at) => ({
    name: volumeName(base, at + 1, digits),
    offset: at * split,
    size: Math.min(split, size - at * split),
  }))
}

/** All of a set have as many digits, so that a shell lists them in order. */
export const volumeName = (base: string, number: number, digits = MIN_DIGITS): string =>
  `${base}.${String(number).padStart(digits, '0')}`

/** What a path means when it is the name of a volume or of the list of volumes; undefined for any other. */
export function parseVolumesPath(path: string): VolumesPath | undefined {
  if (path.includes('://')) return undefined
  const folder = dirname(path)
  const name = basename(path)
  if (name.endsWith(LIST) && name.length > LIST.length) return { folder, base: name.slice(0, -LIST.length) }
  const [, base, digits] = VOLUME.exec(name) ?? []
  const number = Number(digits)
  return base === undefined || number < 1 ? undefined : { folder, base, number }
}

/** Path of the list of the volumes. */
export const listPath = (folder: string, base: string): string => join(folder, `${base}${LIST}`)

/** Path of the same list as `sha256sum -c` reads it. */
export const sumsPath = (folder: string, base: string): string => join(folder, `${base}.sha256`)

/** The bundle's own name, whichever of its volumes is named: what lies beside it is called after that. */
export function bundlePath(path: string): string {
  const volumes = parseVolumesPath(path)
  return volumes === undefined ? path : path.slice(0, path.lastIndexOf(volumes.base) + volumes.base.length)
}

// --- internal ---

const LIST = '.volumes.json'
const MIN_DIGITS = 3
const MAX_VOLUMES = 9999
const VOLUME = /^(.+)\.(\d{3,4})$/
