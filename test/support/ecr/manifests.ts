import { digestOf, isDigest, type Digest } from '../../../src/oci/digest.ts'
import { EcrError, invalidParameter } from './errors.ts'
import { lint } from './lint.ts'
import { immutableTag, isImmutable } from './mutability.ts'
import { seconds, type Registry, type Repository, type StoredImage } from './registry.ts'

export interface ManifestPut {
  readonly raw: Uint8Array
  readonly mediaType: string | undefined
  readonly tag?: string | undefined
  /** What the caller says the digest is. */
  readonly digest?: string | undefined
  readonly door: 'api' | 'oci'
  /** A fault: everything but the tag is recorded. */
  readonly loseTag?: boolean
}

const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const MAX_TAGS = 1000

/** @throws InvalidParameterException; a `+` is the usual offender */
export function checkTag(tag: string): string {
  if (!TAG.test(tag)) throw invalidParameter('imageTag', "must satisfy regular expression '[a-zA-Z0-9-_.]+'")
  return tag
}

/** Stores a manifest by ECR's rules; answers what is stored. */
export function putManifest(registry: Registry, repository: Repository, put: ManifestPut): StoredImage {
  if (put.tag !== undefined) checkTag(put.tag)
  const linted = lint(put.raw, put.mediaType, put.door === 'api')
  const digest = digestOf(put.raw)
  if (put.digest !== undefined && put.digest !== digest)
    throw new EcrError(
      'ImageDigestDoesNotMatchException',
      `The image digest provided '${put.digest}' does not match the image digest that Amazon ECR has calculated '${digest}'`,
    )
  const absentLayers = linted.blobs.filter((blob) => !repository.blobs.has(blob))
  if (absentLayers.length > 0)
    throw required('LayersNotFoundException', 'Layers', absentLayers, registry, repository)
  const absentImages = linted.children.filter((child) => !repository.images.has(child))
  if (absentImages.length > 0)
    throw required('ReferencedImagesNotFoundException', 'Images', absentImages, registry, repository)
  if (put.tag !== undefined) checkMove(repository, put.tag, digest, put.door)
  const stored = repository.images.get(digest) ?? {
    ...linted,
    digest,
    raw: put.raw,
    pushedAt: seconds(registry),
  }
  repository.images.set(digest, stored)
  if (put.tag !== undefined && put.loseTag !== true) repository.imageTags.set(put.tag, digest)
  return stored
}

/** By tag or digest. @throws ImageNotFoundException */
export function findManifest(repository: Repository, reference: string): StoredImage {
  const digest = isDigest(reference) ? reference : repository.imageTags.get(checkTag(reference))
  const stored = digest === undefined ? undefined : repository.images.get(digest)
  if (stored === undefined) throw new EcrError('ImageNotFoundException', 'Requested image not found')
  return stored
}

export const tagsOf = (repository: Repository, digest: Digest): readonly string[] =>
  [...repository.imageTags].filter(([, at]) => at === digest).map(([tag]) => tag)

// --- internal ---

function checkMove(repository: Repository, tag: string, digest: Digest, door: ManifestPut['door']): void {
  const current = repository.imageTags.get(tag)
  if (current === digest && door === 'api')
    throw new EcrError(
      'ImageAlreadyExistsException',
      `Image with digest '${digest}' and tag '${tag}' already exists in the repository with name '${repository.name}'`,
    )
  if (current !== undefined && isImmutable(repository.mutability, tag))
    throw immutableTag(tag, repository.name)
  if (current !== digest && tagsOf(repository, digest).length >= MAX_TAGS)
    throw new EcrError('LimitExceededException', `The image has reached its limit of ${MAX_TAGS} tags`)
}

const required = (
  type: 'LayersNotFoundException' | 'ReferencedImagesNotFoundException',
  what: string,
  digests: readonly Digest[],
  registry: Registry,
  repository: Repository,
): EcrError =>
  new EcrError(
    type,
    `${what} with digests '[${digests.join(', ')}]' required for pushing image into repository with name '${repository.name}' in the registry with id '${registry.account}' do not exist`,
  )
