// The list people write: read, printed, locked; the bundled lists; what other tools keep as lists.
import { usageError } from '../../lib/errors.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import { formatReference, type Reference } from '../../oci/reference.ts'
import { readBundleSpec } from './read.ts'
import { isList, readList } from './read-list.ts'
import type { BundleSpec, SpecGroup, SpecImage } from './model.ts'
import { finish, openSpec } from './yaml-reader.ts'

export type * from './model.ts'

/**
 * Parses a BundleSpec, or the list Migration Assistant ships (`charts: ["name|version|repository"]`, `images: […]`)
 * as it is.
 * @param fileName how errors call the file
 * @param folder where its relative paths start; without it they stand for nothing on this machine
 * @throws SpecError (usage) that names every problem as file:line:column
 */
export function parseSpec(text: string, fileName: string, folder?: string): BundleSpec {
  const root = openSpec(text, fileName, undefined, folder === undefined ? {} : { folder })
  const spec = isList(root) ? readList(root) : readBundleSpec(root)
  finish(root.file)
  return spec
}

/**
 * The groups to bundle: all that are not optional, and the optional ones that are wanted, without those that are not.
 * @throws a usage error for a group the spec does not have
 */
export function selectGroups(
  spec: BundleSpec,
  wanted: readonly string[] = [],
  unwanted: readonly string[] = [],
): readonly SpecGroup[] {
  for (const name of [...wanted, ...unwanted]) {
    if (spec.groups.some((group) => group.name === name)) continue
    const names = spec.groups.map((group) => group.name)
    const hint = didYouMean(name, names)
    throw usageError(`${spec.name} has no group "${name}"${hint === undefined ? '' : `; ${hint}`}`, {
      next: `its groups are ${names.join(', ')}`,
    })
  }
  return spec.groups.filter(
    ({ name, optional }) => (!optional || wanted.includes(name)) && !unwanted.includes(name),
  )
}

/** The name an image has in the bundle and in the private registry. */
export const nameOf = (image: SpecImage): Reference => image.as ?? image.reference

/** The images of several groups, each name once. */
export function imagesOf(groups: readonly SpecGroup[]): readonly SpecImage[] {
  const images = new Map<string, SpecImage>()
  for (const image of groups.flatMap((group) => group.images)) {
    const name = formatReference(nameOf(image))
    if (!images.has(name)) images.set(name, image)
  }
  return [...images.values()]
}
