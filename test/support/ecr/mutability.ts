import { EcrError, invalidParameter } from './errors.ts'

export const MODES = ['MUTABLE', 'IMMUTABLE', 'IMMUTABLE_WITH_EXCLUSION', 'MUTABLE_WITH_EXCLUSION'] as const

export interface Mutability {
  readonly mode: (typeof MODES)[number]
  /** Wildcards over tags; `*` is any run of characters. */
  readonly filters: readonly string[]
}

const FILTER = /^[0-9a-zA-Z._*-]{1,128}$/

/** @throws InvalidParameterException for a mode, a filter or a pairing that ECR refuses */
export function mutability(mode: string = 'MUTABLE', filters: readonly string[] = []): Mutability {
  const known = MODES.find((one) => one === mode)
  if (known === undefined)
    throw invalidParameter('imageTagMutability', `Member must satisfy enum value set: [${MODES.join(', ')}]`)
  const excludes = known.endsWith('_WITH_EXCLUSION')
  const field = 'imageTagMutabilityExclusionFilters'
  if (excludes && (filters.length < 1 || filters.length > 5))
    throw invalidParameter(field, 'Member must have length between 1 and 5')
  if (!excludes && filters.length > 0)
    throw invalidParameter(field, `Exclusion filters cannot be used with ${known}`)
  for (const filter of filters) {
    if (!FILTER.test(filter))
      throw invalidParameter(field, `Member must satisfy regular expression pattern: ${FILTER.source}`)
  }
  return { mode: known, filters }
}

export function isImmutable({ mode, filters }: Mutability, tag: string): boolean {
  const immutable = mode.startsWith('IMMUTABLE')
  return filters.some((filter) => wildcard(filter).test(tag)) ? !immutable : immutable
}

/** The words for a tag that exists and may not move, the identical manifest included. */
export const immutableTag = (tag: string, repository: string): EcrError =>
  new EcrError(
    'ImageTagAlreadyExistsException',
    `The image tag '${tag}' already exists in the '${repository}' repository and cannot be overwritten because the tag is immutable.`,
  )

// --- internal ---

const wildcard = (filter: string): RegExp =>
  new RegExp(
    `^${filter
      .split('*')
      .map((part) => part.replaceAll(/[.\\-]/g, '\\$&'))
      .join('.*')}$`,
  )
