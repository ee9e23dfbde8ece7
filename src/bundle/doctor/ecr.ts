import type { Ecr } from '../../aws/ecr/client.ts'
import type { Identity } from '../../aws/identity.ts'
import { layerBucketUrl, someBlobUrl } from '../../aws/ecr/layers/url.ts'
import type { EcrLogin } from '../../aws/ecr/login.ts'
import { blobMounting } from '../../aws/ecr/blob-mounting.ts'
import { isOptionalAction } from '../../aws/ecr/actions.ts'
import { tryPermissions } from '../../aws/ecr/permissions.ts'
import { DEFAULT_REPOSITORY_QUOTA, listRepositories } from '../../aws/ecr/repository-list.ts'
import { BundleError } from '../../lib/errors.ts'
import { plural } from '../../lib/format.ts'
import type { Http } from '../../lib/http/client.ts'
import { fail, failed, ok, warn, type Check } from './check.ts'

/** ECR as the doctor looks at it. */
export interface EcrPatient {
  readonly ecr: Ecr
  readonly login: EcrLogin
  readonly whoAmI: () => Promise<Identity>
  /** Where images and charts land. */
  readonly prefixes: readonly string[]
}

/** Repositories of the registry; undefined when they may not be listed. */
export type Repositories = readonly string[] | undefined

/** Credentials and whose they are; an STS that cannot be reached is no failure by itself. */
export async function checkIdentity({ ecr, whoAmI }: EcrPatient): Promise<Check> {
  const name = 'credentials'
  try {
    const { arn, account } = await whoAmI()
    if (ecr.host === undefined || account === ecr.host.account) return ok(name, arn)
    return warn(
      name,
      `${arn} is of another account than the registry (${ecr.host.account})`,
      'the policy of each repository, or of the registry, has to let this account in as well',
    )
  } catch (error) {
    if (!(error instanceof BundleError) || error.kind !== 'network') return failed(name, error)
    return warn(
      name,
      `who they are is not known: ${error.message}`,
      'STS is only needed to assume roles (IRSA, profiles); then make the interface endpoint sts',
    )
  }
}

/** The login, and what the registry says to it. */
export async function checkLogin(
  { login }: EcrPatient,
  http: Http,
  base: string,
  signal: AbortSignal,
): Promise<Check> {
  const name = 'login'
  try {
    const { authorization } = await login()
    const response = await http({ method: 'GET', url: base, headers: { authorization }, signal })
    const said = response.status === 200 ? '' : (await response.text()).slice(0, 300)
    await response.discard()
    if (response.status === 200)
      return ok(name, 'GetAuthorizationToken gave a token, and the registry takes it')
    return fail(
      name,
      `the registry answers ${response.status} to a fresh token${said === '' ? '' : `: ${said}`}`,
      'see whether --region and --endpoint-url name the region of the registry, and what the policy of the endpoint ecr.dkr allows',
    )
  } catch (error) {
    return failed(name, error)
  }
}

/** What the identity may do below the prefixes; nothing is made for it. */
export async function* checkRights({ ecr, prefixes }: EcrPatient, all: Repositories): AsyncGenerator<Check> {
  const name = 'permissions'
  try {
    const tried = await tryPermissions(ecr, prefixes, insideOf(all, prefixes))
    const allowed = tried.filter(({ outcome }) => outcome === 'allowed').map(({ action }) => bare(action))
    const where = prefixes.map((prefix) => (prefix === '' ? '*' : `${prefix}/*`)).join(' and ')
    if (allowed.length > 0) yield ok(name, `allowed on ${where}: ${allowed.join(', ')}`)
    for (const { action, outcome, why = '', next } of tried) {
      if (outcome === 'denied') {
        const made =
          action === 'ecr:CreateRepository' ? ' (needed unless another team creates the repositories)' : ''
        yield (isOptionalAction(action) ? warn : fail)(`permission ${action}`, `${why}${made}`, next)
      }
    }
    const untried = Map.groupBy(
      tried.filter(({ outcome }) => outcome === 'not tried'),
      ({ why = '' }) => why,
    )
    for (const [why, actions] of untried) {
      yield warn(name, `not tried: ${actions.map(({ action }) => bare(action)).join(', ')}; ${why}`)
    }
  } catch (error) {
    yield failed(name, error)
  }
}

/** How many repositories there are, against what AWS allows unless asked for more. */
export async function checkQuota({
  ecr,
}: EcrPatient): Promise<{ readonly check: Check; readonly all: Repositories }> {
  const name = 'quotas'
  const pace = 'pushing is paced to what the API takes (by default 10 manifests a second)'
  try {
    const all = await listRepositories(ecr)
    if (all === undefined) return { check: ok(name, `the repositories may not be counted; ${pace}`), all }
    const count = plural(all.length, 'repository', 'repositories')
    const text = `${count}, the default quota is ${DEFAULT_REPOSITORY_QUOTA}; ${pace}`
    const many = all.length >= DEFAULT_REPOSITORY_QUOTA * 0.95
    return {
      check: many ? warn(name, text, 'raise the quota of repositories in Service Quotas') : ok(name, text),
      all,
    }
  } catch (error) {
    return { check: failed(name, error), all: undefined }
  }
}

export async function checkMounting({ ecr }: EcrPatient): Promise<Check> {
  const name = 'blob mounting'
  try {
    const setting = await blobMounting(ecr)
    if (setting === 'on') return ok(name, 'on: layers that images share are uploaded once')
    const how = 'aws ecr put-account-setting --name BLOB_MOUNTING --value ENABLED'
    return ok(name, `${setting}: layers that repositories share are uploaded to each; to change that: ${how}`)
  } catch (error) {
    return failed(name, error, warn)
  }
}

/** Layers are pulled from S3: the import does without, nodes do not. */
export async function checkLayers(
  { ecr, prefixes }: EcrPatient,
  all: Repositories,
  http: Http,
  signal: AbortSignal,
): Promise<Check | undefined> {
  const name = 'pulling layers (S3)'
  const fix =
    'nodes that pull need a gateway endpoint for S3 in their route tables; ma-bundle iam-policy --for vpc-endpoints prints it'
  try {
    const inside = insideOf(all, prefixes)
    const url = inside === undefined ? undefined : await someBlobUrl(ecr, inside)
    if (url === undefined && ecr.host === undefined) return undefined
    const target = new URL(url ?? layerBucketUrl(ecr))
    const headers = url === undefined ? {} : { range: 'bytes=0-0' }
    const response = await http({ method: 'GET', url: target.href, headers, signal })
    await response.discard()
    if (url === undefined) {
      return ok(
        name,
        `${target.host} can be reached; whether layers may be read shows after the first import`,
      )
    }
    if (response.status < 300) return ok(name, `a blob of ${inside} comes from ${target.host}`)
    return warn(
      name,
      `${target.host} answers ${response.status} to a blob of ${inside}`,
      `${fix}; its policy has to allow s3:GetObject on the layer bucket`,
    )
  } catch (error) {
    const check = failed(name, error, warn)
    return error instanceof BundleError && error.kind === 'network' ? { ...check, fix } : check
  }
}

// --- internal ---

const bare = (action: string): string => action.replace('ecr:', '')

const insideOf = (all: Repositories, prefixes: readonly string[]): string | undefined =>
  all?.find((one) => prefixes.some((prefix) => prefix === '' || one.startsWith(`${prefix}/`)))
