import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { lockedRepair, mendVolumes } from '../../../archive/edit-in-place.ts'
import type { VolumeList } from '../../../archive/volumes/list.ts'
import { unreadable } from '../../../archive/volumes/reader.ts'
import { bundlePath, listPath, parseVolumesPath, splitSize } from '../../../archive/volumes/volume.ts'
import type { RandomReader } from '../../../lib/bytes/bytes.ts'
import { integrityError, usageError } from '../../../lib/errors.ts'
import type { Prepared } from '../../export/prepared.ts'
import type { Network } from '../../run/network.ts'
import { checkFolder, freeAt, openLocal } from '../file.ts'
import {
  nothingToAbandon,
  streamOf,
  type Medium,
  type MediumOptions,
  type OneVolume,
  type WriteSettings,
  type WrittenBundle,
  noEarlier,
} from '../medium.ts'
import { localSidecars } from '../sidecar.ts'
import { checkVolume } from './check.ts'
import { openVolumes, readVolumeList } from './open.ts'

/**
 * Files in one folder, or in several when they are read.
 * @param name of the bundle; to read, any of its volumes or their list will do
 * @throws a usage error for settings that no volumes can be made of
 */
export function volumesMedium(name: string, options: MediumOptions, settings: WriteSettings): Medium {
  const { split, onlyVolume } = settings
  if (split !== undefined || onlyVolume !== undefined) checkNew(name, settings)
  const path = bundlePath(name)
  const { volumes = [] } = options
  const parsed = parseVolumesPath(name)
  const set: VolumeSet = { path, folders: [dirname(path), ...volumes], base: basename(path) }
  const open: Medium['open'] = () => openSet(set, options)
  return {
    kind: 'volumes',
    name: basename(name),
    stem: path,
    can: { seek: true, edit: true, sidecar: true },
    earlier: noEarlier,
    ...(parsed?.number === undefined ? {} : { volume: oneVolume(name, parsed.number, set, options) }),
    free: () => freeAt(path),
    // One volume goes where the others lie.
    check: () => (onlyVolume === undefined ? checkFolder(path) : Promise.resolve()),
    open,
    stream: (use) => streamOf(open, use),
    write: (prepared, network) =>
      onlyVolume === undefined
        ? writeVolumes(set, split, prepared, network)
        : remake(set, { number: onlyVolume, split }, prepared, network),
    async edit() {
      // The volumes' places are all that is wanted; they were warned of when the bundle was opened.
      const file = await openSet(set, { ...options, emit: () => undefined })
      await file.close()
      return lockedRepair(path, () => mendVolumes(file.parts ?? []))
    },
    abandon: nothingToAbandon,
    ...localSidecars(path, options),
  }
}

// --- internal ---

/** Where volumes of one bundle lie. */
interface VolumeSet {
  /** Of the bundle they are of: nothing has to lie there. */
  readonly path: string
  readonly base: string
  readonly folders: readonly string[]
}

function checkNew(name: string, { split, onlyVolume, lock }: WriteSettings): void {
  const base = basename(name)
  if (name.includes('://')) {
    throw usageError('volumes are files of this machine; what goes elsewhere needs none', {
      where: `flag --${split === undefined ? 'only-volume' : 'split'}`,
      next: 'leave it out, or name a file',
    })
  }
  const parsed = parseVolumesPath(name)
  if (parsed !== undefined) {
    throw usageError('the name of a volume, where that of the bundle belongs', {
      where: base,
      next: `name it ${parsed.base}; the volumes get their numbers by themselves`,
    })
  }
  if (onlyVolume !== undefined && lock === undefined) {
    throw usageError('--only-volume needs the lock of the export it is of', {
      next: `add --lock ${base}.lock.json`,
    })
  }
}

/** Opens all of them as one file, and warns of those that are missing or wrong. */
async function openSet(
  { base, folders }: VolumeSet,
  { emit }: Pick<MediumOptions, 'emit'>,
): Promise<RandomReader> {
  const { file, warnings } = await openVolumes(base, folders)
  for (const message of warnings) emit({ type: 'warning', message, where: base })
  const faulty = (file.parts ?? []).filter(({ fault }) => fault !== undefined)
  if (faulty.length > 0) {
    const { message, next } = unreadable(faulty)
    emit({
      type: 'warning',
      message: `${message}; what lies there cannot be read`,
      where: base,
      ...(next === undefined ? {} : { next }),
    })
  }
  return file
}

const oneVolume = (
  path: string,
  number: number,
  { base, folders }: VolumeSet,
  options: MediumOptions,
): OneVolume => ({
  async check() {
    const name = basename(path)
    const file = await openLocal(path)
    try {
      const list = await readVolumeList(base, folders)
      if (list === undefined) {
        throw usageError(
          `${basename(listPath('', base))} is not there, which says what the volume has to be`,
          {
            where: name,
            next: `carry it next to the volume, or name its folder with --volumes; all volumes together are checked with: ma-bundle verify ${base}`,
          },
        )
      }
      const listed = list.volumes[number - 1]
      if (listed === undefined) {
        throw integrityError(`it is no volume of this bundle, which has ${list.volumes.length}`, {
          where: name,
        })
      }
      return { number, of: list.volumes.length, ...(await checkVolume(file, listed, name, options)) }
    } finally {
      await file.close()
    }
  },
})

async function writeVolumes(
  { path, base }: VolumeSet,
  split: number | undefined,
  { plan }: Prepared,
  network: Network,
): Promise<WrittenBundle> {
  const folder = dirname(path)
  const list = basename(listPath(folder, base))
  if (existsSync(path)) {
    network.emit({
      type: 'warning',
      message: `${base} is there as one file too: by that name it is read instead of the volumes`,
      next: `name a volume, or ${list}`,
    })
  }
  const { openVolumeWriter } = await import('../../../archive/volumes/writer.ts')
  const { fillArchive } = await import('../../export/write-archive.ts')
  const { sealWith } = await import('./read-back.ts')
  const seal = sealWith(plan, network)
  let sealed: VolumeList | undefined
  const writer = await openVolumeWriter({
    folder,
    base,
    split: split === undefined ? Infinity : splitSize(split),
    seal: async (...of) => (sealed = await seal(...of)),
  })
  const filled = await fillArchive(writer, plan, network)
  return {
    ...filled,
    name: base,
    travels: 'carried',
    volumes: { list, files: sealed?.volumes ?? [] },
  }
}

async function remake(
  { path, base, folders }: VolumeSet,
  { number, split }: { readonly number: number; readonly split: number | undefined },
  { plan }: Prepared,
  network: Network,
): Promise<WrittenBundle> {
  const { remakeVolume } = await import('./remake.ts')
  const list = await readVolumeList(base, folders)
  const { volume, filled } = await remakeVolume(
    plan,
    {
      folder: dirname(path),
      base,
      number,
      list,
      ...(split === undefined ? {} : { split: splitSize(split) }),
    },
    network,
  )
  return {
    ...filled,
    size: volume.size,
    kept: 0,
    name: volume.name,
    travels: 'carried',
    remade: {
      volume: volume.name,
      list: basename(listPath('', base)),
      compared: list !== undefined,
    },
  }
}
