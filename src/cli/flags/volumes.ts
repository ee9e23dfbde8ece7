import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { unreadable } from '../../archive/volumes/reader.ts'
import { findVolumes } from '../../archive/volumes/find.ts'
import { parseVolumesPath } from '../../archive/volumes/volume.ts'
import { openVolumes } from '../../bundle/media/volumes/open.ts'
import type { RandomReader } from '../../lib/bytes/bytes.ts'
import type { ArgsDef } from '../args/flags.ts'
import type { Session } from '../session.ts'

/** Flags of every command that reads a bundle. */
export const volumesArgs = {
  volumes: {
    type: 'string',
    hint: 'folder',
    multiple: true,
    description: 'Another folder where volumes of a bundle lie that was exported with --split',
  },
} as const satisfies ArgsDef

/** What opening volumes needs to know. */
interface World extends Pick<Session, 'emit'> {
  readonly volumes?: readonly string[]
}

/** Whether a name means volumes: one of them, their list, or the bundle they are of when there is no such file. */
export async function areVolumes(name: string, { volumes = [] }: World): Promise<boolean> {
  const parsed = parseVolumesPath(name)
  if (parsed === undefined && existsSync(name)) return false
  const { base, folders } = placeOf(name, volumes)
  const found = await findVolumes(base, folders.filter(existsSync))
  if (found.lists.length > 0) return true
  // The end of a name may be a year; the end of three digits hardly is.
  const isYear = (parsed?.number ?? 0) >= 1000 && found.volumes.every(({ number }) => number !== 1)
  return found.volumes.length > 0 && !isYear
}

/** Opens the volumes of a bundle, and warns of those that are missing or wrong. */
export async function openVolumeSet(name: string, { volumes = [], emit }: World): Promise<RandomReader> {
  const { base, folders } = placeOf(name, volumes)
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

/** The bundle that a name means, and where its volumes may be. */
export function placeOf(
  name: string,
  volumes: readonly string[],
): { readonly base: string; readonly folders: readonly string[] } {
  const { folder, base } = parseVolumesPath(name) ?? { folder: dirname(name), base: basename(name) }
  return { base, folders: [folder, ...volumes] }
}
