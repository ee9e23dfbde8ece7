import { ECR_ACTIONS, type Probe } from './actions.ts'
import type { Ecr } from './client.ts'
import { prefixesMadeOnPush } from './creation-templates.ts'
import { AwsError } from '../errors.ts'

/** Whether this identity may do something below a prefix of the registry. */
export interface Permission {
  /** `ecr:PutImage` */
  readonly action: string
  readonly outcome: 'allowed' | 'denied' | 'not tried'
  /** AWS's own words for a denial; why it was not tried. */
  readonly why?: string
  readonly next?: string
}

/**
 * Tries what an import needs, without leaving anything behind: each call names a repository that does not exist, and
 * IAM decides before ECR notices that. What could still leave something is not tried, and reported as such.
 * @param prefixes paths below which images and charts land
 * @param existing a repository below them, if there is one: more can be tried on it
 */
export async function tryPermissions(
  ecr: Ecr,
  prefixes: readonly string[],
  existing: string | undefined,
): Promise<Permission[]> {
  const absent = prefixes.map((prefix) => (prefix === '' ? ABSENT : `${prefix}/${ABSENT}`))
  const probes = Object.entries(ECR_ACTIONS).flatMap(([name, { probe, makesRepository = false }]) =>
    probe === undefined ? [] : [{ name, probe, makesRepository }],
  )
  const harmless = await Promise.all(
    probes
      .filter(({ makesRepository }) => !makesRepository)
      .map(({ name, probe }) => tryOn(ecr, name, absent, probe)),
  )
  const creating = await createsOnPush(ecr)
  const pushing: Permission[] = []
  for (const { name, probe } of probes.filter(({ makesRepository }) => makesRepository)) {
    // An image of layers that do not exist is refused by a repository that does; an upload would be begun.
    const names =
      creating === undefined ? absent : name === 'PutImage' && existing !== undefined ? [existing] : []
    pushing.push(
      names.length > 0
        ? await tryOn(ecr, name, names, probe)
        : {
            action: `ecr:${name}`,
            outcome: 'not tried',
            ...(creating === undefined ? {} : { why: creating }),
          },
    )
  }
  return [...harmless, ...pushing, await tryCreate(ecr, existing)]
}

// --- internal ---

const ABSENT = 'ma-bundle-doctor-does-not-exist'

/** Allowed is what ECR answers with anything but a denial; what never got there is thrown. */
async function tryOn(ecr: Ecr, action: string, names: readonly string[], probe: Probe): Promise<Permission> {
  for (const repositoryName of names) {
    try {
      await ecr.call(action, (api, options) => probe(api, { ...ecr.registry, repositoryName }, options))
    } catch (error) {
      if (!(error instanceof AwsError) || error.kind === 'cancelled') throw error
      const { message, next } = error
      const why = { action: `ecr:${action}`, why: message, ...(next === undefined ? {} : { next }) }
      if (error.kind === 'auth') return { ...why, outcome: 'denied' }
      // A failure of the API's own says nothing about this action, and nothing about the others.
      if (error.isAnswer && error.kind === 'network') return { ...why, outcome: 'not tried' }
      if (error.kind === 'network') throw error
    }
  }
  return { action: `ecr:${action}`, outcome: 'allowed' }
}

/** Why a push to an absent repository might make it. */
async function createsOnPush(ecr: Ecr): Promise<string | undefined> {
  const prefixes = await prefixesMadeOnPush(ecr)
  if (prefixes === undefined)
    return 'this identity may not query whether a creation template would make a repository of the try'
  const [prefix] = prefixes
  return prefix === undefined
    ? undefined
    : `a creation template (${prefix}) might make a repository of the try`
}

/** On a repository that exists, creation can only be refused. */
async function tryCreate(ecr: Ecr, existing: string | undefined): Promise<Permission> {
  if (existing === undefined) {
    const why = 'there is no repository yet on which it could be tried without making one'
    return { action: 'ecr:CreateRepository', outcome: 'not tried', why }
  }
  return tryOn(ecr, 'CreateRepository', [existing], (api, on, options) => api.createRepository(on, options))
}
