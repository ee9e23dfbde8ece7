import { digestOf, isDigest } from '../../../../src/oci/digest.ts'
import { EcrError, invalidParameter } from '../errors.ts'
import { objects, optionalNumber, optionalObject, optionalText, text, texts, type Input } from '../input.ts'
import { findManifest, putManifest, tagsOf } from '../manifests.ts'
import type { Operations } from '../operation.ts'
import { page } from '../paging.ts'
import { referrersOf } from '../referrers.ts'
import { repositoryOf, type Registry, type Repository, type StoredImage } from '../registry.ts'
import { named } from './repositories.ts'

/** Manifests, their tags and their referrers. */
export const images: Operations = {
  PutImage({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const manifest = text(input, 'imageManifest')
    const tag = optionalText(input, 'imageTag')
    const raw = Buffer.from(manifest)
    const known = repository.images.has(digestOf(raw))
    const stored = putManifest(registry, repository, {
      raw,
      mediaType: optionalText(input, 'imageManifestMediaType'),
      tag,
      digest: optionalText(input, 'imageDigest'),
      door: 'api',
    })
    if (tag === undefined && known)
      throw new EcrError(
        'ImageAlreadyExistsException',
        `Image with digest '${stored.digest}' and tag 'null' already exists in the repository with name '${repository.name}'`,
      )
    return { image: describe(registry, repository, stored, tag) }
  },

  BatchGetImage({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const accepted = texts(input, 'acceptedMediaTypes')
    const images: Input[] = []
    const failures: Input[] = []
    for (const id of imageIds(input)) {
      const found = find(repository, id)
      if (found === undefined || (accepted.length > 0 && !accepted.includes(found.mediaType)))
        failures.push(missing(id))
      else images.push(describe(registry, repository, found, optionalText(id, 'imageTag')))
    }
    return { images, failures }
  },

  BatchDeleteImage({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const gone: Input[] = []
    const failures: Input[] = []
    for (const id of imageIds(input)) {
      const image = find(repository, id)
      const parent = [...repository.images.values()].find(
        (one) => image !== undefined && one.children.includes(image.digest),
      )
      const tag = optionalText(id, 'imageTag')
      if (image === undefined) failures.push(missing(id))
      else if (tag !== undefined && tagsOf(repository, image.digest).length > 1) {
        repository.imageTags.delete(tag)
        gone.push({ imageDigest: image.digest, imageTag: tag })
      } else if (parent !== undefined)
        failures.push({
          imageId: id,
          failureCode: 'ImageReferencedByManifestList',
          failureReason: `Requested image referenced by manifest list: [${parent.digest}]`,
        })
      else {
        const tags = tagsOf(repository, image.digest)
        for (const one of tags) repository.imageTags.delete(one)
        repository.images.delete(image.digest)
        gone.push(
          ...(tags.length === 0
            ? [{ imageDigest: image.digest }]
            : tags.map((imageTag) => ({ imageDigest: image.digest, imageTag }))),
        )
      }
    }
    return { imageIds: gone, failures }
  },

  ListImages({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const status = optionalText(optionalObject(input, 'filter') ?? {}, 'tagStatus') ?? 'ANY'
    const all = [...repository.images.keys()].flatMap((imageDigest): Input[] => {
      const tags = tagsOf(repository, imageDigest)
      if (tags.length === 0) return status === 'TAGGED' ? [] : [{ imageDigest }]
      return status === 'UNTAGGED' ? [] : tags.map((imageTag) => ({ imageDigest, imageTag }))
    })
    const { items, next } = page(
      all,
      optionalText(input, 'nextToken'),
      optionalNumber(input, 'maxResults', 1, 1000) ?? 100,
    )
    return { imageIds: items, ...(next === undefined ? {} : { nextToken: next }) }
  },

  DescribeImages({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const ids = objects(input, 'imageIds')
    const status = optionalText(optionalObject(input, 'filter') ?? {}, 'tagStatus') ?? 'ANY'
    const wanted =
      ids.length === 0
        ? [...repository.images.values()].filter((image) => {
            const tagged = tagsOf(repository, image.digest).length > 0
            return status === 'ANY' || tagged === (status === 'TAGGED')
          })
        : ids.map((id) => {
            const image = find(repository, id)
            if (image === undefined)
              throw new EcrError(
                'ImageNotFoundException',
                `The image with imageId {imageDigest:'${optionalText(id, 'imageDigest') ?? 'null'}', imageTag:'${optionalText(id, 'imageTag') ?? 'null'}'} does not exist within the repository with name '${repository.name}' in the registry with id '${registry.account}'`,
              )
            return image
          })
    const { items, next } = page(
      wanted,
      optionalText(input, 'nextToken'),
      optionalNumber(input, 'maxResults', 1, 1000) ?? 100,
    )
    return {
      imageDetails: items.map((image) => detail(registry, repository, image)),
      ...(next === undefined ? {} : { nextToken: next }),
    }
  },

  ListImageReferrers({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const subject = text(optionalObject(input, 'subjectId') ?? {}, 'imageDigest')
    const types = texts(optionalObject(input, 'filter') ?? {}, 'artifactTypes')
    const found = referrersOf(repository, subject, types.length === 0 ? undefined : types)
    const { items, next } = page(
      found,
      optionalText(input, 'nextToken'),
      optionalNumber(input, 'maxResults', 1, 50) ?? 20,
    )
    return {
      referrers: items.map(({ digest, mediaType, artifactType, raw, annotations }) => ({
        digest,
        mediaType,
        artifactType,
        size: raw.length,
        annotations,
        artifactStatus: 'ACTIVE',
      })),
      ...(next === undefined ? {} : { nextToken: next }),
    }
  },
}

// --- internal ---

function imageIds(input: Input): readonly Input[] {
  const ids = objects(input, 'imageIds')
  if (ids.length < 1 || ids.length > 100)
    throw invalidParameter('imageIds', 'Member must have length between 1 and 100')
  return ids
}

/** By digest, by tag, or by both when they belong together. */
function find(repository: Repository, id: Input): StoredImage | undefined {
  const digest = optionalText(id, 'imageDigest')
  const tag = optionalText(id, 'imageTag')
  if (digest !== undefined && !isDigest(digest))
    throw invalidParameter(
      'imageDigest',
      'Invalid request parameters: image digest should satisfy the regex [a-zA-Z0-9-_+.]+:[a-fA-F0-9]+',
    )
  if (digest === undefined && tag === undefined)
    throw invalidParameter('imageIds', 'Member must have a digest or a tag')
  try {
    const found = findManifest(repository, tag ?? digest ?? '')
    return digest === undefined || found.digest === digest ? found : undefined
  } catch (error) {
    if (error instanceof EcrError && error.type === 'ImageNotFoundException') return undefined
    throw error
  }
}

const missing = (imageId: Input): Input => ({
  imageId,
  failureCode: 'ImageNotFound',
  failureReason: 'Requested image not found',
})

const describe = (
  registry: Registry,
  repository: Repository,
  image: StoredImage,
  imageTag: string | undefined,
): Input => ({
  ...named(registry, repository.name),
  imageId: { imageDigest: image.digest, ...(imageTag === undefined ? {} : { imageTag }) },
  imageManifest: new TextDecoder().decode(image.raw),
  imageManifestMediaType: image.mediaType,
})

function detail(registry: Registry, repository: Repository, image: StoredImage): Input {
  const tags = tagsOf(repository, image.digest)
  return {
    ...named(registry, repository.name),
    imageDigest: image.digest,
    ...(tags.length === 0 ? {} : { imageTags: tags }),
    imageSizeInBytes: image.size,
    imagePushedAt: image.pushedAt,
    imageManifestMediaType: image.mediaType,
    ...(image.artifactType === undefined ? {} : { artifactMediaType: image.artifactType }),
    ...(image.subject === undefined ? {} : { subjectManifestDigest: image.subject }),
    imageStatus: 'ACTIVE',
  }
}
