import type { CreateRepositoryRequest, Repository } from '@aws-sdk/client-ecr'
import { messageOf, usageError } from '../../lib/errors.ts'
import { differencesOf, type Difference } from './settings/differences.ts'
import type { Ecr } from './client.ts'
import { AwsError, isException } from '../errors.ts'
import { MADE_BY } from './images.ts'
import { isMadeOnPush, prefixesMadeOnPush } from './creation-templates.ts'
import { repositoryNameProblem } from './repository-name.ts'
import { exclusionFilters, tagList, type RepositorySettings } from './settings/repository-settings.ts'

export interface PreparedRepository {
  readonly name: string
  /**
   * `assumed`: this identity may not create it, and another team has or ECR will with the first push; the push will
   * tell.
   */
  readonly outcome: 'created' | 'exists' | 'assumed'
  /** Between an existing repository and the settings; it is left alone. */
  readonly differences: readonly Difference[]
}

/**
 * Makes sure that a repository is there. Safe to call by many at once, in this run and in others. A new one is set up
 * as asked, an existing one is only compared.
 * @param templates prefixes below which ECR makes repositories itself; undefined when that is not known
 * @throws a usage error for a name that ECR refuses, an auth error when it may not be created and ECR will not make it
 */
export async function ensureRepository(
  ecr: Ecr,
  name: string,
  settings: RepositorySettings = {},
  templates: () => Promise<readonly string[] | undefined> = () => prefixesMadeOnPush(ecr),
): Promise<PreparedRepository> {
  const problem = repositoryNameProblem(name)
  if (problem !== undefined) {
    throw usageError(`not a repository name of ECR: ${problem}`, { next: 'choose another --prefix' })
  }
  const existing = async (repository: Repository): Promise<PreparedRepository> => ({
    name,
    outcome: 'exists',
    differences: await differencesOf(ecr, repository, settings),
  })
  const found = await describe(ecr, name)
  if (typeof found === 'object') return existing(found)
  try {
    await create(ecr, name, settings)
  } catch (error) {
    if (isException(error, 'RepositoryAlreadyExistsException')) {
      const made = await describe(ecr, name)
      return typeof made === 'object' ? existing(made) : { name, outcome: 'exists', differences: [] }
    }
    if (!isException(error, 'AccessDeniedException')) throw error
    const prefixes = found === 'unknown' ? undefined : await templates()
    if (prefixes !== undefined && !isMadeOnPush(name, prefixes)) throw notMade(name, error)
    return { name, outcome: 'assumed', differences: [] }
  }
  await setPolicies(ecr, name, settings)
  return { name, outcome: 'created', differences: [] }
}

/** Nobody makes the repository. In the same words for each of them, so that it is reported once. */
export const notMade = (name: string, cause: unknown): AwsError =>
  new AwsError(
    'the repository does not exist: this identity may not make it (ecr:CreateRepository is denied), and ' +
      (/ecr:CreateRepository/.test(messageOf(cause)) && !(cause instanceof AwsError)
        ? 'the creation template that makes it with the first push asks for the same permission'
        : 'no creation template lets ECR make it with the first push'),
    'AccessDeniedException',
    {
      kind: 'auth',
      where: `repository ${name}`,
      cause,
      next:
        'allow ecr:CreateRepository (ma-bundle iam-policy prints all that is needed), or have a template made: ' +
        'aws ecr create-repository-creation-template --applied-for CREATE_ON_PUSH --prefix <the first part of these names>',
    },
  )

// --- internal ---

async function describe(ecr: Ecr, name: string): Promise<Repository | 'missing' | 'unknown'> {
  try {
    const { repositories = [] } = await ecr.call(
      'DescribeRepositories',
      (api, options) => api.describeRepositories({ ...ecr.registry, repositoryNames: [name] }, options),
      `repository ${name}`,
    )
    return repositories[0] ?? 'missing'
  } catch (error) {
    if (isException(error, 'RepositoryNotFoundException')) return 'missing'
    if (isException(error, 'AccessDeniedException')) return 'unknown'
    throw error
  }
}

async function create(ecr: Ecr, repositoryName: string, settings: RepositorySettings): Promise<void> {
  const { tagMutability, mutabilityExclusions, scanOnPush, kmsKey, tags = {} } = settings
  const request: CreateRepositoryRequest = {
    ...ecr.registry,
    repositoryName,
    ...(tagMutability === undefined ? {} : { imageTagMutability: tagMutability }),
    ...exclusionFilters(mutabilityExclusions),
    ...(scanOnPush === undefined ? {} : { imageScanningConfiguration: { scanOnPush } }),
    ...(kmsKey === undefined ? {} : { encryptionConfiguration: { encryptionType: 'KMS' as const, kmsKey } }),
  }
  const where = `repository ${repositoryName}`
  const own = { [MADE_BY.key]: MADE_BY.value }
  const createWith = async (all: Readonly<Record<string, string>>): Promise<void> => {
    const list = tagList(all)
    const tagged = list.length === 0 ? request : { ...request, tags: list }
    await ecr.call('CreateRepository', (api, options) => api.createRepository(tagged, options), where)
  }
  try {
    if (untagged.has(ecr)) await createWith(tags)
    else
      await createWith({ ...own, ...tags }).catch(async (error: unknown) => {
        // Creating with tags needs a right of its own, and an organisation's tag policy may refuse ours.
        if (!mayBeTheTag(error)) throw error
        await createWith(tags)
        untagged.add(ecr)
      })
  } catch (error) {
    throw withKmsAdvice(error, where)
  }
}

/** Registries where repositories cannot be marked as ours. */
const untagged = new WeakSet<Ecr>()

/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html */
const mayBeTheTag = (error: unknown): boolean =>
  (isException(error, 'AccessDeniedException') && /TagResource|tag polic/i.test(messageOf(error))) ||
  isException(error, 'InvalidTagParameterException')

async function setPolicies(ecr: Ecr, repositoryName: string, settings: RepositorySettings): Promise<void> {
  const { lifecyclePolicy: lifecyclePolicyText, repositoryPolicy: policyText } = settings
  const input = { ...ecr.registry, repositoryName }
  const where = `repository ${repositoryName}`
  if (lifecyclePolicyText !== undefined) {
    await ecr.call(
      'PutLifecyclePolicy',
      (api, options) => api.putLifecyclePolicy({ ...input, lifecyclePolicyText }, options),
      where,
    )
  }
  if (policyText !== undefined) {
    await ecr.call(
      'SetRepositoryPolicy',
      (api, options) => api.setRepositoryPolicy({ ...input, policyText }, options),
      where,
    )
  }
}

function withKmsAdvice(error: unknown, where: string): unknown {
  if (!isException(error, 'KmsException')) return error
  return new AwsError(error.message, error.exception, {
    kind: 'auth',
    where,
    cause: error.cause,
    next:
      'the key of --kms-key must be enabled and in the region of the registry, and this identity needs ' +
      'kms:DescribeKey, kms:CreateGrant and kms:RetireGrant on it',
  })
}
