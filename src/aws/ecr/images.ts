import { AwsError, isException } from '../errors.ts'
import { isDigest, type Digest } from '../../oci/digest.ts'
import type { Ecr } from './client.ts'

/** A manifest as ECR lists it. */
export interface EcrImage {
  readonly digest: Digest
  readonly tags: readonly string[]
  readonly mediaType: string
  /** Bytes of its layers; of an index, of the manifests it names. */
  readonly size: number
  /** Milliseconds since 1970. */
  readonly pushedAt?: number
  /** What a signature or an SBOM belongs to. */
  readonly subject?: Digest
}

/** Why ECR kept a manifest that it was asked to delete. */
export interface ImageFailure {
  readonly digest: Digest
  /** `ImageReferencedByManifestList` and others of the API's `ImageFailureCode`. */
  readonly code: string
  readonly reason: string
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html */
const BATCH = 100

/**
 * All manifests of a repository, tagged or not, archived ones included.
 * @returns none for a repository that does not exist
 */
export async function listImages(ecr: Ecr, repositoryName: string): Promise<readonly EcrImage[]> {
  const images: EcrImage[] = []
  let nextToken: string | undefined
  try {
    do {
      const page = await ecr.call(
        'DescribeImages',
        (api, options) =>
          api.describeImages(
            {
              ...ecr.registry,
              repositoryName,
              maxResults: 1000,
              filter: { tagStatus: 'ANY', imageStatus: 'ANY' },
              nextToken,
            },
            options,
          ),
        `repository ${repositoryName}`,
      )
      for (const one of page.imageDetails ?? []) {
        const { imageDigest: digest, subjectManifestDigest: subject } = one
        if (!isDigest(digest)) continue
        images.push({
          digest,
          tags: one.imageTags ?? [],
          mediaType: one.imageManifestMediaType ?? '',
          size: one.imageSizeInBytes ?? 0,
          ...(one.imagePushedAt === undefined ? {} : { pushedAt: one.imagePushedAt.getTime() }),
          ...(isDigest(subject) ? { subject } : {}),
        })
      }
      nextToken = page.nextToken
    } while (nextToken !== undefined)
  } catch (error) {
    if (isException(error, 'RepositoryNotFoundException')) return []
    throw error
  }
  return images
}

/** Deletes manifests with all their tags, 100 a call. One that is gone already counts as deleted. */
export async function deleteImages(
  ecr: Ecr,
  repositoryName: string,
  digests: readonly Digest[],
): Promise<readonly ImageFailure[]> {
  const failures: ImageFailure[] = []
  for (let at = 0; at < digests.length; at += BATCH) {
    const imageIds = digests.slice(at, at + BATCH).map((imageDigest) => ({ imageDigest }))
    const answer = await ecr.call(
      'BatchDeleteImage',
      (api, options) => api.batchDeleteImage({ ...ecr.registry, repositoryName, imageIds }, options),
      `repository ${repositoryName}`,
    )
    for (const { imageId, failureCode: code = '', failureReason: reason = '' } of answer.failures ?? []) {
      const digest = imageId?.imageDigest
      if (isDigest(digest) && code !== 'ImageNotFound') failures.push({ digest, code, reason })
    }
  }
  return failures
}

/** The tag that marks a repository as made by this program, and that `prune` looks for before it deletes one. */
export const MADE_BY = { key: 'created-by', value: 'ma-bundle' } as const

/**
 * Deletes a repository that is empty and bears the tag of this program. `force` is never sent.
 * @returns whether it was deleted
 */
export async function deleteOwnRepository(ecr: Ecr, name: string): Promise<boolean> {
  const where = `repository ${name}`
  try {
    const { repositories: [found] = [] } = await ecr.call(
      'DescribeRepositories',
      (api, options) => api.describeRepositories({ ...ecr.registry, repositoryNames: [name] }, options),
      where,
    )
    const resourceArn = found?.repositoryArn
    if (resourceArn === undefined) return false
    const { tags = [] } = await ecr.call(
      'ListTagsForResource',
      (api, options) => api.listTagsForResource({ resourceArn }, options),
      where,
    )
    if (!tags.some(({ Key, Value }) => Key === MADE_BY.key && Value === MADE_BY.value)) return false
    await ecr.call(
      'DeleteRepository',
      (api, options) => api.deleteRepository({ ...ecr.registry, repositoryName: name }, options),
      where,
    )
    return true
  } catch (error) {
    // Somebody pushed to it meanwhile, or this identity may not look at tags: it stays.
    if (
      isException(error, 'RepositoryNotEmptyException') ||
      isException(error, 'RepositoryNotFoundException')
    )
      return false
    if (error instanceof AwsError && error.kind === 'auth') return false
    throw error
  }
}
