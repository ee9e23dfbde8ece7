import { existsSync } from 'node:fs'
import { isS3 } from '../../aws/s3/location.ts'
import { areVolumes } from '../../archive/volumes/find.ts'
import { usageError } from '../../lib/errors.ts'
import type { Medium, MediumOptions, WriteSettings } from './medium.ts'

/** The name of a pipe in the place of a file's: standard input, or standard output. */
const PIPE = '-'

interface Kind {
  /** Whether a bundle of this name is read there; the first kind that says so is it. */
  readonly reads: (name: string, volumes: readonly string[]) => boolean | Promise<boolean>
  readonly writes: (name: string, settings: WriteSettings) => boolean
  readonly load: (name: string, options: MediumOptions, settings: WriteSettings) => Promise<Medium>
}

const isPipe = (name: string): boolean => name === PIPE

/** Adding a kind is a row here and a folder; whatever is none of the others is a file. */
const KINDS: readonly Kind[] = [
  { reads: isPipe, writes: isPipe, load: async (...of) => (await import('./pipe.ts')).pipeMedium(...of) },
  { reads: isS3, writes: isS3, load: async (...of) => (await import('./s3/medium.ts')).s3Medium(...of) },
  {
    reads: areVolumes,
    writes: (_, { split, onlyVolume }) => split !== undefined || onlyVolume !== undefined,
    load: async (...of) => (await import('./volumes/medium.ts')).volumesMedium(...of),
  },
  {
    reads: () => true,
    writes: () => true,
    load: async (name, options) => (await import('./file.ts')).fileMedium(name, options),
  },
]

/** Where a bundle lies that is to be read. Nothing is opened yet. */
export async function mediumAt(name: string, options: MediumOptions): Promise<Medium> {
  for (const { reads, load } of KINDS)
    if (await reads(name, options.volumes ?? [])) return load(name, options, {})
  throw new Error('whatever is nothing else is a file')
}

/** The same, for a name that may also mean something other than a bundle: nothing when no bundle can be there. */
export async function findMedium(name: string, options: MediumOptions): Promise<Medium | undefined> {
  const medium = await mediumAt(name, options)
  return medium.kind === 'file' && !existsSync(name) ? undefined : medium
}

/**
 * Where a bundle is to be written.
 * @throws a usage error for settings that the medium does not know
 */
export async function newMediumAt(
  name: string,
  settings: WriteSettings,
  options: MediumOptions,
): Promise<Medium> {
  const kind = KINDS.find(({ writes }) => writes(name, settings))
  if (kind === undefined) throw new Error('whatever is nothing else is a file')
  const medium = await kind.load(name, options, settings)
  if (medium.kind !== 's3' && Object.keys(settings.storage ?? {}).length > 0)
    throw usageError('--sse, --sse-kms-key and --storage-class are for bundles in S3: s3://bucket/key')
  return medium
}

/** Whether a bundle of this name goes to standard output, where nothing else may then be written. */
export const isStandardOutput = isPipe
