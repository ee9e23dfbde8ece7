import type { Repository, StoredImage } from './registry.ts'

/** Manifests whose subject is this digest; of the given artifact types only, when there are any. */
export const referrersOf = (
  repository: Repository,
  subject: string,
  artifactTypes?: readonly string[],
): readonly StoredImage[] =>
  [...repository.images.values()].filter(
    (image) =>
      image.subject === subject &&
      (artifactTypes === undefined ||
        (image.artifactType !== undefined && artifactTypes.includes(image.artifactType))),
  )
