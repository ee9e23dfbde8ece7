import type { Repository } from '@aws-sdk/client-ecr'
import { createPool } from '../../../lib/pool.ts'
import { isException } from '../../errors.ts'
import type { Ecr } from '../client.ts'
import { differencesOf, type Difference } from './differences.ts'
import type { RepositorySettings } from './repository-settings.ts'

/** A repository that is there, and what it has other than asked for. */
export interface ComparedRepository {
  readonly repository: Repository
  readonly differences: readonly Difference[]
  /**
   * It lacks a policy and has never held an image: a run made it, and ended before it was set up. Nothing is pushed
   * into it before it has all of its settings.
   */
  readonly isUnfinished: boolean
}

/**
 * Compares all repositories that are there with the settings, a hundred by one request; sends nothing when no setting
 * is asked for.
 * @returns by name; those that are not there, or that may not be looked at, are left out
 */
export async function compareSettings(
  ecr: Ecr,
  names: readonly string[],
  settings: RepositorySettings,
): Promise<ReadonlyMap<string, ComparedRepository>> {
  if (Object.keys(settings).length === 0) return new Map()
  const pool = createPool(AT_ONCE)
  const found = await repositoriesOf(ecr, names)
  const compared = await Promise.all(
    found.map((repository) =>
      pool.run(async () => {
        const differences = await differencesOf(ecr, repository, settings)
        const isUnfinished = differences.some(isMissingPolicy) && (await isUntouched(ecr, repository))
        return [repository.repositoryName ?? '', { repository, differences, isUnfinished }] as const
      }),
    ),
  )
  return new Map(compared)
}

/** What creation sets by calls of their own, and so may not have come to. */
export const isMissingPolicy = ({ setting, found }: Difference): boolean =>
  setting.endsWith('policy') && found === 'none'

// --- internal ---

const AT_ONCE = 8
/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html */
const NAMES_AT_ONCE = 100

async function repositoriesOf(ecr: Ecr, names: readonly string[]): Promise<readonly Repository[]> {
  const pool = createPool(AT_ONCE)
  const chunks = Array.from({ length: Math.ceil(names.length / NAMES_AT_ONCE) }, (_, at) =>
    names.slice(at * NAMES_AT_ONCE, (at + 1) * NAMES_AT_ONCE),
  )
  try {
    const found = await Promise.all(
      chunks.map(async (chunk) => {
        const all = await pool.run(() => describe(ecr, chunk))
        // One that is missing hides the others.
        if (all !== undefined || chunk.length === 1) return all ?? []
        const each = await Promise.all(chunk.map((name) => pool.run(() => describe(ecr, [name]))))
        return each.flatMap((one) => one ?? [])
      }),
    )
    return found.flat()
  } catch (error) {
    if (!isException(error, 'AccessDeniedException')) throw error
    ecr.emit({
      type: 'warning',
      message: `the settings of repositories that exist are not compared: ${error.message}`,
      ...(error.next === undefined ? {} : { next: error.next }),
    })
    return []
  }
}

async function describe(ecr: Ecr, repositoryNames: string[]): Promise<readonly Repository[] | undefined> {
  try {
    const { repositories = [] } = await ecr.call('DescribeRepositories', (api, options) =>
      api.describeRepositories({ ...ecr.registry, repositoryNames }, options),
    )
    return repositories
  } catch (error) {
    if (isException(error, 'RepositoryNotFoundException')) return undefined
    throw error
  }
}

/** Whoever may not look gets a warning about the difference instead. */
async function isUntouched(ecr: Ecr, { repositoryName }: Repository): Promise<boolean> {
  try {
    const { imageIds = [] } = await ecr.call('ListImages', (api, options) =>
      api.listImages({ ...ecr.registry, repositoryName, maxResults: 1 }, options),
    )
    return imageIds.length === 0
  } catch (error) {
    if (isException(error, 'AccessDeniedException')) return false
    throw error
  }
}
