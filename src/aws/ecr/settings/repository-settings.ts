import { messageOf, usageError } from '../../../lib/errors.ts'

/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html */
export const TAG_MUTABILITY = [
  'MUTABLE',
  'IMMUTABLE',
  'MUTABLE_WITH_EXCLUSION',
  'IMMUTABLE_WITH_EXCLUSION',
] as const

export type TagMutability = (typeof TAG_MUTABILITY)[number]

/** What a new repository gets; what is not named is left to ECR (mutable, AES-256, no scan, no policies). */
export interface RepositorySettings {
  readonly tagMutability?: TagMutability
  /** Wildcards over tags, as in `dev-*`; 1 to 5, for the two `…_WITH_EXCLUSION`. */
  readonly mutabilityExclusions?: readonly string[]
  readonly scanOnPush?: boolean
  /** ARN, id or alias of a KMS key in the registry's region. Cannot be changed later. */
  readonly kmsKey?: string
  readonly tags?: Readonly<Record<string, string>>
  /** JSON text, sent as it is. */
  readonly lifecyclePolicy?: string
  /** JSON text, sent as it is. */
  readonly repositoryPolicy?: string
}

const FILTER = /^[0-9a-zA-Z._*-]{1,128}$/

/**
 * Finds what ECR would refuse before the first repository is made.
 * @throws a usage error
 */
export function checkSettings(settings: RepositorySettings): void {
  const { tagMutability, mutabilityExclusions: filters = [], tags = {} } = settings
  const excluding = tagMutability?.endsWith('_WITH_EXCLUSION') === true
  if (excluding !== filters.length > 0) {
    throw usageError(
      excluding
        ? `tag mutability ${tagMutability} needs at least one exclusion`
        : 'tag mutability exclusions only go with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION',
    )
  }
  if (filters.length > 5) throw usageError(`ECR allows 5 tag mutability exclusions, not ${filters.length}`)
  const bad = filters.find((filter) => !FILTER.test(filter) || filter.split('*').length > 3)
  if (bad !== undefined) {
    throw usageError(`not a tag mutability exclusion: "${bad}"`, {
      next: 'write 1 to 128 letters, digits, . _ - and at most two *, as in dev-*',
    })
  }
  const names = Object.keys(tags)
  if (names.length > 50) throw usageError(`AWS allows 50 tags on a repository, not ${names.length}`)
  const odd = names.find((name) => name === '' || name.length > 128 || /^aws:/i.test(name))
  if (odd !== undefined) throw usageError(`not a tag that a repository can have: "${odd}"`)
  for (const [what, text, member, least, most] of [
    ['lifecycle policy', settings.lifecyclePolicy, 'rules', 100, 30_720],
    ['repository policy', settings.repositoryPolicy, 'Statement', 0, 10_240],
  ] as const) {
    if (text === undefined) continue
    checkPolicy(what, text, member)
    if (text.length >= least && text.length <= most) continue
    throw usageError(`the ${what} has ${text.length} characters; ECR takes ${least} to ${most}`, {
      next:
        text.length < least
          ? 'describe its rules (description), or indent it'
          : 'leave out white space, or split it',
    })
  }
}

/** As the API takes them. */
export const exclusionFilters = (filters: readonly string[] = []) =>
  filters.length === 0
    ? {}
    : {
        imageTagMutabilityExclusionFilters: filters.map((filter) => ({
          filterType: 'WILDCARD' as const,
          filter,
        })),
      }

export const tagList = (tags: Readonly<Record<string, string>> = {}) =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))

// --- internal ---

/** A policy goes on after its repository is made, and a rerun leaves that alone: a wrong file must not get so far. */
function checkPolicy(what: string, text: string, member: string): void {
  let policy: unknown
  try {
    policy = JSON.parse(text)
  } catch (error) {
    throw usageError(`the ${what} is not JSON: ${messageOf(error)}`, { cause: error })
  }
  const list: unknown =
    typeof policy === 'object' && policy !== null ? Reflect.get(policy, member) : undefined
  if (Array.isArray(list) && list.length === 0) throw usageError(`the ${what} has nothing in its "${member}"`)
  if (list !== undefined) return
  throw usageError(`the ${what} has no "${member}"`, {
    next: `give a JSON object with "${member}"; a ${what} has it at the top`,
  })
}
