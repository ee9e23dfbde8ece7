import { invalidParameter } from './errors.ts'
import { isInput, type Input } from './input.ts'

/**
 * What a lifecycle policy must have, as far as it is documented:
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
 */
export function checkLifecyclePolicy(policy: Input): void {
  const { rules } = policy
  if (!Array.isArray(rules) || rules.length === 0) throw lifecycle('at least one rule is required')
  const priorities = rules.map((rule) => checkRule(rule))
  if (new Set(priorities).size < priorities.length) throw lifecycle('rulePriority must be unique')
}

/** A repository policy is resource based: each statement says whom it is about, and names no resource. */
export function checkRepositoryPolicy({ Statement }: Input): void {
  const statements = Array.isArray(Statement) ? Statement : Statement === undefined ? [] : [Statement]
  const good = statements.every(
    (one) =>
      isInput(one) &&
      ['Allow', 'Deny'].includes(String(one['Effect'])) &&
      (one['Principal'] !== undefined || one['NotPrincipal'] !== undefined) &&
      (one['Action'] !== undefined || one['NotAction'] !== undefined) &&
      one['Resource'] === undefined,
  )
  if (statements.length === 0 || !good)
    throw invalidParameter('PolicyText', 'Invalid repository policy provided')
}

// --- internal ---

const TAG_STATUSES = ['tagged', 'untagged', 'any']
const SINCE = /^since[A-Z]/

const lifecycle = (why: string): Error =>
  invalidParameter('LifecyclePolicyText', `Lifecycle policy validation failure: ${why}`)

function checkRule(rule: unknown): number {
  if (!isInput(rule)) throw lifecycle('a rule must be an object')
  const { rulePriority, selection, action } = rule
  if (typeof rulePriority !== 'number' || !Number.isInteger(rulePriority) || rulePriority < 1)
    throw lifecycle('rulePriority must be a positive integer')
  if (!isInput(action) || typeof action['type'] !== 'string') throw lifecycle('action.type is required')
  if (!isInput(selection)) throw lifecycle('selection is required')
  const { tagStatus, tagPrefixList, tagPatternList, countType, countUnit, countNumber } = selection
  if (!TAG_STATUSES.includes(String(tagStatus)))
    throw lifecycle(`tagStatus must be one of ${TAG_STATUSES.join(', ')}`)
  const lists = [tagPrefixList, tagPatternList].filter((list) => Array.isArray(list) && list.length > 0)
  if ((tagStatus === 'tagged') !== (lists.length === 1))
    throw lifecycle(
      'exactly one of tagPrefixList and tagPatternList goes with tagStatus tagged, and only with it',
    )
  if (typeof countType !== 'string') throw lifecycle('countType is required')
  if (SINCE.test(countType) !== (countUnit === 'days'))
    throw lifecycle('countUnit days goes with countType since…')
  if (typeof countNumber !== 'number' || countNumber < 1)
    throw lifecycle('countNumber must be a positive number')
  return rulePriority
}
