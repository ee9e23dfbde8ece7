import { resolve } from 'node:path'
import { usageError } from '../../../lib/errors.ts'
import type { RawManifest, Source } from '../../../oci/content.ts'

/** Images in a file or a folder of this machine, as skopeo names them. */
export interface ImageFile {
  readonly format: ImageFileFormat
  /** As it is written: relative to the spec, or only a name. */
  readonly path: string
  /** Which of its images; absent when it has one. */
  readonly name?: string
  /** Where it is on this machine; never written anywhere. */
  readonly local?: string
}

export type ImageFileFormat = (typeof FORMATS)[number]
const FORMATS = ['docker-archive', 'oci-archive', 'oci'] as const

/** An image that lies in a file. */
export interface LocalImage {
  /** What the file calls it: `quay.io/team/app:1`, or a tag alone; none when it does not say. */
  readonly names: readonly string[]
  manifest(): Promise<RawManifest>
}

export interface LocalImages {
  readonly images: readonly LocalImage[]
  /** Content by digest; opens the file again for each. */
  readonly source: Source
}

/**
 * `docker-archive:app.tar:app:1`; undefined for a text that names no file. `oci://` is an address.
 * @param folder what relative paths start from; without it the file is not on this machine
 * @throws a usage error for one without a path
 */
export function parseImageFile(text: string, folder?: string): ImageFile | undefined {
  const format = FORMATS.find((one) => text.startsWith(`${one}:`))
  if (format === undefined || text.startsWith('oci://')) return undefined
  const rest = text.slice(format.length + 1)
  const colon = rest.indexOf(':')
  const path = colon < 0 ? rest : rest.slice(0, colon)
  const name = colon < 0 ? '' : rest.slice(colon + 1)
  if (path === '') throw usageError(`"${text}" names no file`, { next: `write ${format}:<path>` })
  return {
    format,
    path,
    ...(name === '' ? {} : { name }),
    ...(folder === undefined ? {} : { local: resolve(folder, path) }),
  }
}

export const formatImageFile = ({ format, path, name }: ImageFile): string =>
  `${format}:${path}${name === undefined ? '' : `:${name}`}`
