import type { OneVolume } from '../bundle/media/medium.ts'
import { integrityError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import type { CommandSession } from '../cli/session.ts'

export const REMAKE =
  'copy the volume again from where it was whole, or make it alone again: ma-bundle export <bundle> --only-volume <number> --lock <bundle>.lock.json'

/** Checks one volume by the list of the volumes; none of the others has to be there. */
export async function verifyVolume(volume: OneVolume, name: string, session: CommandSession): Promise<void> {
  const { number, of, size, digest, reason } = await volume.check()
  session.result(
    { volume: name, number, of, size, digest, whole: reason === undefined, reason },
    reason === undefined
      ? `${name} is complete and undamaged: volume ${number} of ${of}, ${formatBytes(size)}\n`
      : `${name}: ${reason}\n`,
  )
  if (reason === undefined) return
  throw integrityError('the volume is damaged, cut off, or of another bundle', { where: name, next: REMAKE })
}
