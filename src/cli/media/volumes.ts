import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { VolumeList } from '../../archive/volumes/list.ts'
import { openVolumeWriter } from '../../archive/volumes/writer.ts'
import {
  listPath,
  MIN_SPLIT,
  parseVolumesPath,
  splitSize,
  SPLIT_NAMES,
} from '../../archive/volumes/volume.ts'
import { writeExport } from '../../bundle/export/export.ts'
import { readVolumeList } from '../../bundle/media/volumes/open.ts'
import { remakeVolume } from '../../bundle/media/volumes/remake.ts'
import { sealWith } from '../../bundle/media/volumes/read-back.ts'
import { usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import { lookAtFolder } from './check-folder.ts'
import { writeLock } from '../output/lock-io.ts'
import type { Output } from './medium.ts'

const sizes = Object.entries(SPLIT_NAMES)
  .map(([name, size]) => `${name} (${Number((size / 1e9).toFixed(2))} GB)`)
  .join(', ')

/** Flags of an export into volumes. */
export const splitArgs = {
  split: {
    type: 'size',
    names: SPLIT_NAMES,
    min: MIN_SPLIT,
    description: `Write volumes of at most this size instead of one file: <bundle>.001, .002 and so on, and a list of them. Sizes with a name: ${sizes}`,
  },
  onlyVolume: {
    type: 'integer',
    min: 1,
    hint: 'number',
    description:
      'Make this one volume of an earlier export again, byte for byte, from its --lock; fetches only what lies in it',
  },
} as const satisfies ArgsDef

/** What the flags say of volumes. */
export type SplitArgs = Partial<Args<typeof splitArgs>> & {
  readonly bundle: string
  readonly lock?: string | undefined
}

export const isSplit = ({ split, onlyVolume }: SplitArgs): boolean =>
  split !== undefined || onlyVolume !== undefined

/** Volumes in one folder, or a single one of them. */
export function volumesOutput({ bundle, split, onlyVolume, lock }: SplitArgs): Output {
  const folder = dirname(bundle)
  const base = basename(bundle)
  if (bundle.includes('://')) {
    throw usageError('volumes are files of this machine; what goes elsewhere needs none', {
      where: `flag --${split === undefined ? 'only-volume' : 'split'}`,
      next: 'leave it out, or name a file',
    })
  }
  if (parseVolumesPath(bundle) !== undefined) {
    throw usageError('the name of a volume, where that of the bundle belongs', {
      where: base,
      next: `name it ${parseVolumesPath(bundle)?.base ?? base}; the volumes get their numbers by themselves`,
    })
  }
  const wanted = split === undefined ? {} : { split: splitSize(split) }
  if (onlyVolume !== undefined)
    return oneVolume({ bundle, folder, base, number: onlyVolume, lock, ...wanted })
  const { split: size = Infinity } = wanted
  const written: { list?: VolumeList } = {}
  return {
    name: base,
    path: listPath(folder, base),
    look: () => lookAtFolder(bundle),
    async write(prepared, network) {
      if (existsSync(bundle)) {
        network.emit({
          type: 'warning',
          message: `${base} is there as one file too: by that name it is read instead of the volumes`,
          next: `name a volume, or ${basename(listPath(folder, base))}`,
        })
      }
      const seal = sealWith(prepared.plan, network)
      const medium = await openVolumeWriter({
        folder,
        base,
        split: size,
        seal: async (...of) => (written.list = await seal(...of)),
      })
      return writeExport(medium, prepared, network)
    },
    writeLock: (prepared) => writeLock(`${bundle}.lock.json`, prepared.lock),
    told: () => toldOf(written.list, base),
  }
}

// --- internal ---

interface OneVolume {
  readonly bundle: string
  readonly folder: string
  readonly base: string
  readonly number: number
  readonly split?: number
  readonly lock: string | undefined
}

function oneVolume({ bundle, folder, base, number, lock, ...size }: OneVolume): Output {
  if (lock === undefined) {
    throw usageError('--only-volume needs the lock of the export it is of', {
      next: `add --lock ${base}.lock.json`,
    })
  }
  let name = base
  let isCompared = false
  return {
    name: base,
    path: bundle,
    async write({ plan }, network) {
      const list = await readVolumeList(base, [folder])
      const options = { folder, base, number, list, ...size }
      const { volume, filled } = await remakeVolume(plan, options, network)
      name = volume.name
      isCompared = list !== undefined
      return { ...filled, size: volume.size, kept: 0 }
    },
    writeLock: () => Promise.resolve(),
    told: () => ({
      name,
      data: { volume: name, compared: isCompared },
      lines: [
        isCompared
          ? `It is byte for byte what ${basename(listPath('', base))} lists.`
          : `It was compared with nothing, as ${basename(listPath('', base))} is not there.`,
      ],
      next: `put it in the place of the old one, then: ma-bundle verify ${name}`,
    }),
  }
}

function toldOf(list: VolumeList | undefined, base: string): ReturnType<NonNullable<Output['told']>> {
  const volumes = list?.volumes ?? []
  const names = volumes.map(({ name }) => name)
  const file = basename(listPath('', base))
  const range = names.length === 1 ? names[0] : `${names[0]} to ${names.at(-1)?.slice(base.length)}`
  return {
    name: base,
    data: { volumes: volumes.map(({ name, size, digest }) => ({ name, size, digest })), list: file },
    lines: [
      `In ${range}, at most ${formatBytes(volumes[0]?.size ?? 0)} each; with every one of them carry ${file}, so that it can be checked alone.`,
    ],
    next: `carry them, then: ma-bundle import ${names[0] ?? base} --volumes <other folder> --registry <host>`,
  }
}
