import { EcrError, invalidParameter } from '../errors.ts'
import { text, type Input } from '../input.ts'
import type { Operations } from '../operation.ts'
import { checkLifecyclePolicy, checkRepositoryPolicy } from '../policy-rules.ts'
import { repositoryOf, type Registry, type Repository } from '../registry.ts'
import { named } from './repositories.ts'

/** Lifecycle and repository policies: checked as ECR checks them, kept, never run. */
export const policies: Operations = {
  PutLifecyclePolicy({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const policy = text(input, 'lifecyclePolicyText')
    checkLifecyclePolicy(parse(policy, 'lifecyclePolicyText'))
    repository.lifecyclePolicy = policy
    return lifecycle(registry, repository)
  },

  GetLifecyclePolicy: ({ registry, input }) =>
    lifecycle(registry, repositoryOf(registry, text(input, 'repositoryName'))),

  DeleteLifecyclePolicy({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const answer = lifecycle(registry, repository)
    repository.lifecyclePolicy = undefined
    return answer
  },

  SetRepositoryPolicy({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const policy = text(input, 'policyText')
    checkRepositoryPolicy(parse(policy, 'policyText'))
    repository.policy = policy
    return policyOf(registry, repository)
  },

  GetRepositoryPolicy: ({ registry, input }) =>
    policyOf(registry, repositoryOf(registry, text(input, 'repositoryName'))),

  DeleteRepositoryPolicy({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const answer = policyOf(registry, repository)
    repository.policy = undefined
    return answer
  },
}

// --- internal ---

function parse(policy: string, field: string): Input {
  try {
    const value: unknown = JSON.parse(policy)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Input
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw invalidParameter(field, 'Invalid policy document: not a JSON object')
}

function lifecycle(registry: Registry, repository: Repository): Input {
  if (repository.lifecyclePolicy === undefined)
    throw new EcrError(
      'LifecyclePolicyNotFoundException',
      `Lifecycle policy does not exist for the repository with name '${repository.name}' in the registry with id '${registry.account}'`,
    )
  return { ...named(registry, repository.name), lifecyclePolicyText: repository.lifecyclePolicy }
}

function policyOf(registry: Registry, repository: Repository): Input {
  if (repository.policy === undefined)
    throw new EcrError(
      'RepositoryPolicyNotFoundException',
      `Repository policy does not exist for the repository with name '${repository.name}' in the registry with id '${registry.account}'`,
    )
  return { ...named(registry, repository.name), policyText: repository.policy }
}
