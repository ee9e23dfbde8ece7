import { basename } from 'node:path'
import { openS3Object } from '../../../aws/s3/reader.ts'
import { usageError } from '../../../lib/errors.ts'
import { streamOf, type Medium, type MediumOptions, type WriteSettings, noEarlier } from '../medium.ts'
import { sidecars } from '../sidecar.ts'
import { connectS3 } from './connect.ts'
import { abortObject, exportObject, readRecord } from './export.ts'

/** One object in S3, with what is next to the bundle as objects beside it. */
export function s3Medium(
  name: string,
  options: MediumOptions,
  { split, onlyVolume, storage = {} }: WriteSettings,
): Medium {
  if (split !== undefined || onlyVolume !== undefined)
    throw usageError('a bundle in S3 is one object; --split is for volumes to be carried')
  const { s3, location } = connectS3(name, options)
  // Small things are read at once, whatever the bundle's class is.
  const { StorageClass: _, ...small } = storage
  const open: Medium['open'] = () => openS3Object(location, s3)
  return {
    kind: 's3',
    name: basename(name),
    stem: basename(name),
    can: { seek: true, edit: false, sidecar: true },
    earlier: noEarlier,
    free: () => Promise.resolve(undefined),
    // Whether the bucket is there and knows these credentials.
    check: async () => void (await readRecord(s3, location)),
    open,
    stream: (use) => streamOf(open, use),
    async write({ plan }, network) {
      const filled = await exportObject({ s3, location, storage }, plan, network)
      return { ...filled, name: location.name, travels: 'reached' }
    },
    edit: () =>
      Promise.reject(
        usageError('an object in S3 cannot be repaired in place', {
          where: name,
          next: 'export it there again, or copy it from where it is undamaged',
        }),
      ),
    abandon: () => abortObject({ s3, location }),
    ...sidecars((suffix) => `${name}${suffix}`, options, small),
  }
}
