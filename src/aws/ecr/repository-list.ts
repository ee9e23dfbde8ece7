import type { Ecr } from './client.ts'
import { AwsError } from '../errors.ts'

/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html */
export const DEFAULT_REPOSITORY_QUOTA = 100_000

/** Names of all repositories, or undefined when this identity may not list them. */
export async function listRepositories(ecr: Ecr): Promise<readonly string[] | undefined> {
  const names: string[] = []
  let nextToken: string | undefined
  try {
    do {
      const page = await ecr.call('DescribeRepositories', (api, options) =>
        api.describeRepositories({ ...ecr.registry, maxResults: 1000, nextToken }, options),
      )
      names.push(...(page.repositories ?? []).flatMap(({ repositoryName }) => repositoryName ?? []))
      nextToken = page.nextToken
    } while (nextToken !== undefined)
    return names
  } catch (error) {
    if (error instanceof AwsError && error.kind === 'auth') return undefined
    throw error
  }
}
