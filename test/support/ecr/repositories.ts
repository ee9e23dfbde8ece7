import { EcrError, invalidParameter } from './errors.ts'
import { objects, optionalObject, optionalText, text, type Input } from './input.ts'
import { mutability } from './mutability.ts'
import { repositoryArn, seconds, type Registry, type Repository } from './registry.ts'

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html */
export const REPOSITORY =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/

const ENCRYPTIONS = ['AES256', 'KMS', 'KMS_DSSE']
const MAX_TAGS = 50

/** @throws RepositoryAlreadyExistsException, InvalidParameterException, InvalidTagParameterException */
export function createRepository(registry: Registry, input: Input): Repository {
  const name = checkName(text(input, 'repositoryName'))
  if (registry.repositories.has(name))
    throw new EcrError(
      'RepositoryAlreadyExistsException',
      `The repository with name '${name}' already exists in the registry with id '${registry.account}'`,
    )
  const repository: Repository = {
    name,
    createdAt: seconds(registry),
    mutability: mutabilityOf(input),
    scanOnPush: optionalObject(input, 'imageScanningConfiguration')?.['scanOnPush'] === true,
    encryption: encryptionOf(registry, optionalObject(input, 'encryptionConfiguration')),
    tags: tagsOf(objects(input, 'tags')),
    lifecyclePolicy: undefined,
    policy: undefined,
    blobs: new Set(),
    images: new Map(),
    imageTags: new Map(),
  }
  registry.repositories.set(name, repository)
  return repository
}

/** @throws InvalidParameterException */
export function checkName(name: string): string {
  if (name.length < 2) throw invalidParameter('repositoryName', 'must have length greater than or equal to 2')
  if (name.length > 256)
    throw invalidParameter('repositoryName', 'must have length less than or equal to 256')
  if (!REPOSITORY.test(name))
    throw invalidParameter(
      'repositoryName',
      `must satisfy regular expression '${REPOSITORY.source.slice(1, -1).replaceAll('?:', '')}'`,
    )
  return name
}

export const mutabilityOf = (input: Input) =>
  mutability(
    optionalText(input, 'imageTagMutability'),
    objects(input, 'imageTagMutabilityExclusionFilters').map((filter) => {
      if (filter['filterType'] !== 'WILDCARD')
        throw invalidParameter('filterType', 'Member must satisfy enum value set: [WILDCARD]')
      return text(filter, 'filter')
    }),
  )

/** `Key` and `Value`, as this API spells them. @throws InvalidTagParameterException, TooManyTagsException */
export function tagsOf(
  tags: readonly Input[],
  before: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  const all = new Map(before)
  for (const tag of tags) {
    const key = text(tag, 'Key')
    const value = optionalText(tag, 'Value') ?? ''
    if (key.length < 1 || key.length > 128 || value.length > 256 || key.startsWith('aws:'))
      throw new EcrError('InvalidTagParameterException', `Invalid tag '${key}'`)
    all.set(key, value)
  }
  if (all.size > MAX_TAGS) throw new EcrError('TooManyTagsException', `More than ${MAX_TAGS} tags`)
  return all
}

export const describeRepository = (registry: Registry, repository: Repository): Input => ({
  repositoryArn: repositoryArn(registry, repository.name),
  registryId: registry.account,
  repositoryName: repository.name,
  repositoryUri: `${registry.address()}/${repository.name}`,
  createdAt: repository.createdAt,
  ...describeMutability(repository),
  imageScanningConfiguration: { scanOnPush: repository.scanOnPush },
  encryptionConfiguration: {
    encryptionType: repository.encryption.type,
    ...(repository.encryption.key === undefined ? {} : { kmsKey: repository.encryption.key }),
  },
})

export const describeMutability = ({ mutability: { mode, filters } }: Repository): Input => ({
  imageTagMutability: mode,
  ...(filters.length === 0
    ? {}
    : { imageTagMutabilityExclusionFilters: filters.map((filter) => ({ filterType: 'WILDCARD', filter })) }),
})

// --- internal ---

function encryptionOf(registry: Registry, input: Input | undefined): Repository['encryption'] {
  const type = input === undefined ? 'AES256' : text(input, 'encryptionType')
  const key = input === undefined ? undefined : optionalText(input, 'kmsKey')
  if (!ENCRYPTIONS.includes(type))
    throw invalidParameter(
      'encryptionType',
      `Member must satisfy enum value set: [${ENCRYPTIONS.join(', ')}]`,
    )
  if (type === 'AES256') {
    if (key !== undefined)
      throw invalidParameter('encryptionConfiguration', 'kmsKey is not allowed with AES256')
    return { type, key: undefined }
  }
  // Without a key AWS uses the one it manages for ECR, and answers with its ARN.
  const arn = `arn:${registry.partition}:kms:${registry.region}:${registry.account}:key/`
  return {
    type,
    key:
      key === undefined
        ? `${arn}0a1b2c3d-0000-4000-8000-ec0000000000`
        : key.startsWith('arn:')
          ? key
          : arn + key,
  }
}
