import { EcrError, invalidParameter } from '../errors.ts'
import { objects, optionalNumber, optionalObject, optionalText, text, texts } from '../input.ts'
import type { Operations } from '../operation.ts'
import { page } from '../paging.ts'
import { repositoryArn, repositoryNotFound, repositoryOf, type Registry } from '../registry.ts'
import {
  createRepository,
  describeMutability,
  describeRepository,
  mutabilityOf,
  tagsOf,
} from '../repositories.ts'

/** Repositories and what is set on them. */
export const repositories: Operations = {
  CreateRepository: ({ registry, input }) => ({
    repository: describeRepository(registry, createRepository(registry, input)),
  }),

  DescribeRepositories({ registry, input }) {
    const names = texts(input, 'repositoryNames', 0, 100)
    const size = optionalNumber(input, 'maxResults', 1, 1000) ?? 100
    const token = optionalText(input, 'nextToken')
    if (names.length > 0) {
      if (input['maxResults'] !== undefined || token !== undefined)
        throw invalidParameter('repositoryNames', 'cannot be used together with maxResults or nextToken')
      return { repositories: names.map((name) => describeRepository(registry, repositoryOf(registry, name))) }
    }
    const all = [...registry.repositories.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const { items, next } = page(all, token, size)
    return {
      repositories: items.map((one) => describeRepository(registry, one)),
      ...(next === undefined ? {} : { nextToken: next }),
    }
  },

  DeleteRepository({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    if (repository.images.size > 0 && input['force'] !== true)
      throw new EcrError(
        'RepositoryNotEmptyException',
        `The repository with name '${repository.name}' in registry with id '${registry.account}' cannot be deleted because it still contains images`,
      )
    registry.repositories.delete(repository.name)
    return { repository: describeRepository(registry, repository) }
  },

  PutImageTagMutability({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    repository.mutability = mutabilityOf(input)
    return { ...named(registry, repository.name), ...describeMutability(repository) }
  },

  PutImageScanningConfiguration({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    repository.scanOnPush = optionalObject(input, 'imageScanningConfiguration')?.['scanOnPush'] === true
    return {
      ...named(registry, repository.name),
      imageScanningConfiguration: { scanOnPush: repository.scanOnPush },
    }
  },

  ListTagsForResource({ registry, input }) {
    const { tags } = byArn(registry, text(input, 'resourceArn'))
    return { tags: [...tags].map(([Key, Value]) => ({ Key, Value })) }
  },

  TagResource({ registry, input }) {
    const { tags } = byArn(registry, text(input, 'resourceArn'))
    for (const [key, value] of tagsOf(objects(input, 'tags'), tags)) tags.set(key, value)
    return {}
  },

  UntagResource({ registry, input }) {
    const { tags } = byArn(registry, text(input, 'resourceArn'))
    for (const key of texts(input, 'tagKeys')) tags.delete(key)
    return {}
  },
}

export const named = (registry: Registry, name: string) => ({
  registryId: registry.account,
  repositoryName: name,
})

// --- internal ---

function byArn(registry: Registry, arn: string) {
  const prefix = repositoryArn(registry, '')
  if (!arn.startsWith(prefix))
    throw invalidParameter('resourceArn', `must be an ARN of this registry: ${prefix}`)
  const repository = registry.repositories.get(arn.slice(prefix.length))
  if (repository === undefined) throw repositoryNotFound(registry, arn.slice(prefix.length))
  return repository
}
