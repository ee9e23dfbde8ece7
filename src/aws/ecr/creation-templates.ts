import type { Ecr } from './client.ts'
import { AwsError } from '../errors.ts'

/**
 * Below which prefixes ECR makes repositories itself, with the first push; undefined when that may not be asked.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html
 */
export async function prefixesMadeOnPush(ecr: Ecr): Promise<readonly string[] | undefined> {
  const prefixes: string[] = []
  let nextToken: string | undefined
  try {
    do {
      const page = await ecr.call('DescribeRepositoryCreationTemplates', (api, options) =>
        api.describeRepositoryCreationTemplates({ maxResults: 1000, nextToken }, options),
      )
      for (const { prefix, appliedFor } of page.repositoryCreationTemplates ?? [])
        if (prefix !== undefined && appliedFor?.includes('CREATE_ON_PUSH') === true) prefixes.push(prefix)
      nextToken = page.nextToken
    } while (nextToken !== undefined)
    return prefixes
  } catch (error) {
    if (error instanceof AwsError && (error.isAnswer || error.kind === 'auth')) return undefined
    throw error
  }
}

/** Whether one of the prefixes is for this repository: a `/` is always taken to follow, and ROOT is for all others. */
export const isMadeOnPush = (name: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => prefix === 'ROOT' || name.startsWith(prefix.replace(/\/?$/, '/')))
