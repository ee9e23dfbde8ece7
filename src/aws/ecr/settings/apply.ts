import type { ECR } from '@aws-sdk/client-ecr'
import type { Ecr } from '../client.ts'
import type { ComparedRepository } from './compare.ts'
import type { Difference } from './differences.ts'
import { exclusionFilters, tagList, type RepositorySettings } from './repository-settings.ts'

/** What can be changed in a repository that exists; its encryption cannot. */
export const canChange = ({ setting }: Difference): boolean => setting in CHANGES

/**
 * Changes these settings of a repository to the requested ones.
 * @throws an auth error for the first that may not be changed
 */
export async function changeSettings(
  ecr: Ecr,
  { repository }: Pick<ComparedRepository, 'repository'>,
  settings: RepositorySettings,
  differences: readonly Difference[],
): Promise<void> {
  const { repositoryName = '', repositoryArn: arn = '' } = repository
  const place = { on: { repositoryName, ...ecr.registry }, arn }
  for (const { setting } of differences) {
    const change = setting === 'encryption' ? undefined : CHANGES[setting]
    if (change === undefined) continue
    await ecr.call(
      change.action,
      (api, options) => change.run(api, place, settings, options),
      `repository ${repositoryName}`,
    )
  }
}

// --- internal ---

/** How the API names a repository; for its tags by ARN. */
interface Place {
  readonly on: { readonly registryId?: string; readonly repositoryName: string }
  readonly arn: string
}

interface Change {
  readonly action: string
  readonly run: (
    api: ECR,
    place: Place,
    settings: RepositorySettings,
    options: { abortSignal?: AbortSignal },
  ) => Promise<unknown>
}

const CHANGES: Readonly<Record<Exclude<Difference['setting'], 'encryption'>, Change>> = {
  'tag mutability': {
    action: 'PutImageTagMutability',
    run: (api, { on }, { tagMutability, mutabilityExclusions }, options) =>
      api.putImageTagMutability(
        {
          ...on,
          imageTagMutability: tagMutability,
          ...exclusionFilters(mutabilityExclusions),
        },
        options,
      ),
  },
  'scan on push': {
    action: 'PutImageScanningConfiguration',
    run: (api, { on }, { scanOnPush }, options) =>
      api.putImageScanningConfiguration({ ...on, imageScanningConfiguration: { scanOnPush } }, options),
  },
  tags: {
    action: 'TagResource',
    run: (api, { arn: resourceArn }, { tags }, options) =>
      api.tagResource({ resourceArn, tags: tagList(tags) }, options),
  },
  'lifecycle policy': {
    action: 'PutLifecyclePolicy',
    run: (api, { on }, { lifecyclePolicy }, options) =>
      api.putLifecyclePolicy({ ...on, lifecyclePolicyText: lifecyclePolicy }, options),
  },
  'repository policy': {
    action: 'SetRepositoryPolicy',
    run: (api, { on }, { repositoryPolicy }, options) =>
      api.setRepositoryPolicy({ ...on, policyText: repositoryPolicy }, options),
  },
}
