import { partsAt } from '../../../archive/volumes/reader.ts'
import type { FilePart, RandomReader } from '../../../lib/bytes/bytes.ts'
import type { VolumeCheckOptions } from './check.ts'
import { digestOfVolume } from './check.ts'
import type { Damage } from '../../format/frame.ts'

/** A damage, and the volumes it lies in. */
export interface LocatedDamage extends Damage {
  /** Names; absent when the bundle is one file. */
  readonly volumes?: readonly string[]
}

/**
 * Says in which volumes the damages lie. Where an entry reaches over several, those are read once more and compared
 * with the list of the volumes, which tells the one that has to be made again.
 */
export async function locateDamages(
  file: RandomReader,
  damages: readonly Damage[],
  options: VolumeCheckOptions,
): Promise<readonly LocatedDamage[]> {
  const { parts } = file
  if (parts === undefined) return damages
  const known = new Map<FilePart, boolean>()
  const isWrong = async (part: FilePart): Promise<boolean> => {
    const before = known.get(part)
    if (before !== undefined || part.digest === undefined) return before ?? true
    const range = {
      ...file,
      size: part.size,
      read: (at: number, length: number) => file.read(part.offset + at, length),
    }
    const wrong = (await digestOfVolume(range, part.name, options)) !== part.digest
    known.set(part, wrong)
    return wrong
  }
  const located: LocatedDamage[] = []
  for (const damage of damages) {
    const touched = partsAt(parts, damage.offset, damage.size)
    const wrong: FilePart[] = []
    for (const part of touched) if (touched.length === 1 || (await isWrong(part))) wrong.push(part)
    const found = wrong.length === 0 ? touched : wrong
    located.push({ ...damage, volumes: found.map(({ name }) => name) })
  }
  return located
}
