import { basename } from 'node:path'
import { listPath, parseVolumesPath } from '../archive/volumes/volume.ts'
import { readVolumeList } from '../bundle/media/volumes/open.ts'
import { checkVolume } from '../bundle/media/volumes/check.ts'
import { integrityError, usageError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import { openLocal } from '../cli/media/open-bundle.ts'
import type { Session } from '../cli/session.ts'
import { placeOf } from '../cli/flags/volumes.ts'

export const REMAKE =
  'copy the volume again from where it was whole, or make it alone again: ma-bundle export <bundle> --only-volume <number> --lock <bundle>.lock.json'

/** Checks one volume by the list of the volumes; none of the others has to be there. */
export async function verifyVolume(
  { bundle: path, volumes }: { readonly bundle: string; readonly volumes: readonly string[] },
  session: Session,
): Promise<void> {
  const { base, folders } = placeOf(path, volumes)
  const name = basename(path)
  const file = await openLocal(path)
  try {
    const list = await readVolumeList(base, folders)
    if (list === undefined) {
      throw usageError(`${basename(listPath('', base))} is not there, which says what the volume has to be`, {
        where: name,
        next: `carry it beside the volume, or name its folder with --volumes; all volumes together are checked with: ma-bundle verify ${base}`,
      })
    }
    const number = parseVolumesPath(path)?.number ?? 0
    const listed = list.volumes[number - 1]
    if (listed === undefined) {
      throw integrityError(`it is no volume of this bundle, which has ${list.volumes.length}`, {
        where: name,
      })
    }
    const { size, digest, reason } = await checkVolume(file, listed, name, session)
    session.result(
      { volume: name, number, of: list.volumes.length, size, digest, whole: reason === undefined, reason },
      reason === undefined
        ? `${name} is whole: volume ${number} of ${list.volumes.length}, ${formatBytes(size)}\n`
        : `${name}: ${reason}\n`,
    )
    if (reason === undefined) return
    throw integrityError('the volume is damaged, cut off, or of another bundle', {
      where: name,
      next: REMAKE,
    })
  } finally {
    await file.close()
  }
}
