import { integrityError } from '../../lib/errors.ts'
import { hexOf, isDigest, type Digest } from '../../oci/digest.ts'
import { isObject, parseObject } from '../../oci/manifest.ts'
import type { SealedVolume } from './volume.ts'

/** `<bundle>.volumes.json`: what the volumes are, so that any one of them can be checked without the others. */
export interface VolumeList {
  readonly format: typeof VOLUMES_FORMAT
  /** The bundle they are of: digest of its first entry, which names all others. */
  readonly bundle: Digest
  /** Bytes of all together. */
  readonly size: number
  readonly volumes: readonly SealedVolume[]
}

export const VOLUMES_FORMAT = 'ma-bundle-volumes/1'

/** More than the longest list has. */
export const VOLUMES_LIMIT = 8 * 1024 * 1024

/** One volume a line. */
export function encodeVolumeList({ bundle, size, volumes }: VolumeList): string {
  const lines = volumes.map(({ name, offset, size: length, digest, edges }) =>
    JSON.stringify({ name, offset, size: length, sha256: hexOf(digest), edges }),
  )
  const head = JSON.stringify({ format: VOLUMES_FORMAT, bundle, size }).slice(0, -1)
  return `${head},"volumes":[\n${lines.join(',\n')}\n]}\n`
}

/** The same for `sha256sum -c`. */
export const encodeVolumeSums = ({ volumes }: VolumeList): string =>
  volumes.map(({ name, digest }) => `${hexOf(digest)}  ${name}\n`).join('')

/**
 * @param where name of the file
 * @throws an integrity error for another format, or a list that does not add up
 */
export function decodeVolumeList(raw: Uint8Array, where: string): VolumeList {
  const damaged = (why: string) =>
    integrityError(`the list of the volumes cannot be used: ${why}`, {
      where,
      next: 'copy it again from where the volumes were written; without any, the volumes are known by their numbers',
    })
  const json = parseObject(raw)
  if (json === undefined) throw damaged('it is not JSON')
  const { format, bundle, size, volumes } = json
  if (format !== VOLUMES_FORMAT) throw damaged(`it is not of format ${VOLUMES_FORMAT}`)
  if (!isDigest(bundle) || !isSize(size) || !Array.isArray(volumes) || volumes.length === 0)
    throw damaged('a part is missing')
  let offset = 0
  const decoded = volumes.map((item: unknown): SealedVolume => {
    const volume = decodeVolume(item)
    if (volume === undefined || volume.offset !== offset)
      throw damaged('a volume in it is not as it should be')
    offset += volume.size
    return volume
  })
  if (offset !== size) throw damaged('the sizes of the volumes do not add up')
  return { format: VOLUMES_FORMAT, bundle, size, volumes: decoded }
}

// --- internal ---

function decodeVolume(item: unknown): SealedVolume | undefined {
  if (!isObject(item)) return undefined
  const { name, offset, size, sha256, edges } = item
  const digest = `sha256:${String(sha256)}`
  if (typeof name !== 'string' || !/^[^/\\\0]+\.\d{3,4}$/.test(name)) return undefined
  if (!isSize(offset) || !isSize(size) || size === 0 || !isDigest(digest)) return undefined
  const [first, last]: unknown[] = Array.isArray(edges) ? edges : []
  if (typeof first !== 'string' || typeof last !== 'string') return undefined
  return { name, offset, size, digest, edges: [first, last] }
}

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
