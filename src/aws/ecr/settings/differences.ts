import type { ECR, Repository } from '@aws-sdk/client-ecr'
import { isDeepStrictEqual } from 'node:util'
import type { Ecr } from '../client.ts'
import { isException } from '../../errors.ts'
import type { RepositorySettings } from './repository-settings.ts'

/** A setting of a repository that was there before and is not as asked for. */
export interface Difference {
  readonly setting:
    | 'tag mutability'
    | 'scan on push'
    | 'encryption'
    | 'tags'
    | 'lifecycle policy'
    | 'repository policy'
  readonly wanted: string
  readonly found: string
}

/** Compares an existing repository with what a new one would get. Asks only about what was asked for. */
export async function differencesOf(
  ecr: Ecr,
  repository: Repository,
  settings: RepositorySettings,
): Promise<Difference[]> {
  const repositoryName = repository.repositoryName ?? ''
  const ask = <T>(action: string, run: (api: ECR, options: { abortSignal?: AbortSignal }) => Promise<T>) =>
    answerOf(ecr, action, run, `repository ${repositoryName}`)
  const input = { repositoryName, ...ecr.registry }
  const { lifecyclePolicy, repositoryPolicy, tags } = settings
  const found = [...plainDifferences(repository, settings)]
  if (tags !== undefined) {
    const answer = await ask('ListTagsForResource', (api, options) =>
      api.listTagsForResource({ resourceArn: repository.repositoryArn }, options),
    )
    found.push(...tagDifferences(tags, typeof answer === 'string' ? answer : answer.tags))
  }
  if (lifecyclePolicy !== undefined) {
    const answer = await ask('GetLifecyclePolicy', (api, options) => api.getLifecyclePolicy(input, options))
    const text = typeof answer === 'string' ? answer : answer.lifecyclePolicyText
    found.push(...policyDifferences('lifecycle policy', lifecyclePolicy, text))
  }
  if (repositoryPolicy !== undefined) {
    const answer = await ask('GetRepositoryPolicy', (api, options) => api.getRepositoryPolicy(input, options))
    const text = typeof answer === 'string' ? answer : answer.policyText
    found.push(...policyDifferences('repository policy', repositoryPolicy, text))
  }
  return found
}

// --- internal ---

const UNKNOWN = 'unknown (not permitted to ask)'
const NONE = 'none'

/** The answer, or why there is none. */
async function answerOf<T>(
  ecr: Ecr,
  action: string,
  run: (api: ECR, options: { abortSignal?: AbortSignal }) => Promise<T>,
  where: string,
): Promise<T | typeof UNKNOWN | typeof NONE> {
  try {
    return await ecr.call(action, run, where)
  } catch (error) {
    if (isException(error, 'LifecyclePolicyNotFoundException', 'RepositoryPolicyNotFoundException'))
      return NONE
    if (isException(error, 'AccessDeniedException')) return UNKNOWN
    throw error
  }
}

function* plainDifferences(repository: Repository, settings: RepositorySettings): Generator<Difference> {
  if (settings.tagMutability !== undefined) {
    const filters = repository.imageTagMutabilityExclusionFilters?.flatMap(({ filter }) => filter ?? [])
    const wanted = mutability(settings.tagMutability, settings.mutabilityExclusions)
    const found = mutability(repository.imageTagMutability ?? 'MUTABLE', filters)
    if (wanted !== found) yield { setting: 'tag mutability', wanted, found }
  }
  const scan = repository.imageScanningConfiguration?.scanOnPush === true
  if (settings.scanOnPush !== undefined && settings.scanOnPush !== scan) {
    yield { setting: 'scan on push', wanted: onOff(settings.scanOnPush), found: onOff(scan) }
  }
  if (settings.kmsKey !== undefined) {
    const { encryptionType = 'AES256', kmsKey } = repository.encryptionConfiguration ?? {}
    // ECR answers with the key's ARN; behind an alias there may be any key.
    const same =
      encryptionType.startsWith('KMS') &&
      (isAlias(settings.kmsKey) || keyId(kmsKey) === keyId(settings.kmsKey))
    const found = kmsKey === undefined ? encryptionType : `${encryptionType} ${kmsKey}`
    if (!same) yield { setting: 'encryption', wanted: `KMS ${settings.kmsKey}`, found }
  }
}

function* tagDifferences(
  wanted: Readonly<Record<string, string>>,
  found: readonly { Key?: string | undefined; Value?: string | undefined }[] | string = [],
): Generator<Difference> {
  const there = typeof found === 'string' ? undefined : new Map(found.map(({ Key, Value }) => [Key, Value]))
  const off = Object.entries(wanted).filter(([key, value]) => there?.get(key) !== value)
  if (off.length === 0) return
  yield {
    setting: 'tags',
    wanted: off.map(([key, value]) => `${key}=${value}`).join(', '),
    found: there === undefined ? UNKNOWN : off.map(([key]) => `${key}=${there.get(key) ?? ''}`).join(', '),
  }
}

function* policyDifferences(
  setting: 'lifecycle policy' | 'repository policy',
  wanted: string,
  found = NONE,
): Generator<Difference> {
  if (found === NONE || found === UNKNOWN) yield { setting, wanted: 'the given one', found }
  else if (!isDeepStrictEqual(JSON.parse(wanted), JSON.parse(found))) {
    yield { setting, wanted: 'the given one', found: 'another' }
  }
}

const mutability = (mode: string, filters: readonly string[] = []): string =>
  filters.length === 0 ? mode : `${mode} (${filters.toSorted().join(', ')})`

const onOff = (on: boolean): string => (on ? 'on' : 'off')

const isAlias = (key: string): boolean => /(^|:)alias\//.test(key)

const keyId = (key: string | undefined): string | undefined => key?.split('/').at(-1)
