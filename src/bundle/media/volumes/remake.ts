import { openOneVolumeWriter } from '../../../archive/volumes/one-volume-writer.ts'
import { place } from '../../../archive/tar.ts'
import type { VolumeList } from '../../../archive/volumes/list.ts'
import { cutVolumes, type Volume } from '../../../archive/volumes/volume.ts'
import { integrityError, usageError } from '../../../lib/errors.ts'
import { digestOf } from '../../../oci/digest.ts'
import { fillArchive, type Filled } from '../../export/write-archive.ts'
import type { Plan } from '../../format/plan.ts'
import type { Network } from '../../run/network.ts'
import { checkVolume } from './check.ts'

export interface RemakeOptions {
  readonly folder: string
  readonly base: string
  /** From 1 on. */
  readonly number: number
  /** The most that a volume may have, bytes; that of the list when it is left out. */
  readonly split?: number
  readonly list: VolumeList | undefined
}

export interface Remade {
  readonly volume: Volume
  readonly filled: Filled
}

/**
 * Makes one volume of an export again, byte for byte, fetching only what lies in it.
 * @throws a usage error when this export would make other volumes than those of the list
 */
export async function remakeVolume(plan: Plan, options: RemakeOptions, session: Network): Promise<Remade> {
  const { folder, base, number, list } = options
  const placement = place(plan.entries)
  const volumes = cutVolumes(base, placement.size, splitOf(options))
  const volume = volumes[number - 1]
  if (volume === undefined) {
    throw usageError(`there is no volume ${number}: the bundle has ${volumes.length}`, {
      where: 'flag --only-volume',
    })
  }
  if (list !== undefined) checkSame(plan, volumes, list)
  const listed = list?.volumes[number - 1]
  const medium = await openOneVolumeWriter({
    folder,
    base,
    volume,
    check: async (file) => {
      if (listed === undefined) return
      const { reason } = await checkVolume(file, listed, volume.name, session)
      if (reason === undefined) return
      throw integrityError(`${volume.name} did not come out as it was: ${reason}`, {
        next: 'see whether the list of the volumes is of this export; if it is, use another disk',
      })
    },
  })
  return { volume, filled: await fillArchive(medium, plan, session) }
}

// --- internal ---

function splitOf({ split, list }: RemakeOptions): number {
  const listed = list?.volumes[0]?.size
  if (split !== undefined) return split
  if (listed !== undefined) return listed
  throw usageError('--only-volume needs the size at which the volumes were cut', {
    next: 'give the same --split, or put the list of the volumes (….volumes.json) beside',
  })
}

/** Another helm, list or flag makes another bundle, of which a volume would be of no use. */
function checkSame(plan: Plan, volumes: readonly Volume[], list: VolumeList): void {
  if (digestOf(plan.head) !== list.bundle) {
    throw usageError('this export would make another bundle than the one the volumes are of', {
      next: 'give the lock that was written next to the volumes with --lock, and --since and --with-cli as then',
    })
  }
  const sizes = (some: readonly Volume[]): string => some.map(({ size }) => size).join()
  if (sizes(volumes) === sizes(list.volumes)) return
  throw usageError('the volumes were cut at another size', {
    where: 'flag --split',
    next: `leave it out, or give ${list.volumes[0]?.size ?? 0}`,
  })
}
