import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isS3 } from '../../aws/s3/location.ts'
import { getSmall, putText, type S3Storage } from '../../aws/s3/object.ts'
import { readSmall } from '../../lib/bytes/small-file.ts'
import { writeWhole } from '../../lib/bytes/write-whole.ts'
import { codeOf } from '../../lib/errors.ts'
import { SIDECARS, type Medium, type MediumOptions } from './medium.ts'

type Sidecars = Pick<Medium, 'sidecarAt' | 'readSidecar' | 'writeSidecar'>

/**
 * The small files about a bundle, each a file of this machine or an object in S3.
 * @param storage how those in S3 are kept
 */
export const sidecars = (
  sidecarAt: Medium['sidecarAt'],
  options: MediumOptions,
  storage: S3Storage = {},
): Sidecars => ({
  sidecarAt,
  readSidecar: (suffix, at = sidecarAt(suffix)) => read(at, options),
  async writeSidecar(suffix, text, at = sidecarAt(suffix)) {
    if (isS3(at)) {
      const { s3, location } = await s3At(at, options)
      await putText(s3, location, text, storage)
    } else await writeWhole(at, text, SIDECARS[suffix])
    return basename(at)
  },
})

/** Those of files: next to the bundle, or with any of its volumes. */
export const localSidecars = (path: string, options: MediumOptions): Sidecars =>
  sidecars((suffix) => {
    const beside = `${path}${suffix}`
    const { volumes = [] } = options
    const places = [beside, ...volumes.map((folder) => join(folder, basename(beside)))]
    return places.find((place) => existsSync(place)) ?? beside
  }, options)

// --- internal ---

const s3At = async (name: string, options: MediumOptions) =>
  (await import('./s3/connect.ts')).connectS3(name, options)

async function read(name: string, options: MediumOptions): Promise<Uint8Array | undefined> {
  if (isS3(name)) {
    const { s3, location } = await s3At(name, options)
    return getSmall(s3, location)
  }
  try {
    return await readSmall(name)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
