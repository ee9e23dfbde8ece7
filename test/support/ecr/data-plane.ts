import type { Charge } from './access.ts'
import { EcrError, ociCode, ociStatus } from './errors.ts'
import { failure, header, type Answer, type Call } from './http.ts'
import type { Door } from './listener.ts'
import { blob, startUpload, upload } from './oci/blobs.ts'
import { catalog, referrers, tags } from './oci/lists.ts'
import { getManifest, putManifestAnswer } from './oci/manifests.ts'
import { createRepository, REPOSITORY } from './repositories.ts'
import { repositoryOf, type Principal, type Registry, type Repository } from './registry.ts'
import { actionsOf, routeOf, type Route } from './routes.ts'
import type { Signatures } from './signature.ts'
import type { Tokens } from './tokens.ts'

export interface DataPlane {
  readonly registry: Registry
  readonly tokens: Tokens
  readonly signatures: Signatures
  readonly charge: Charge
  readonly missingRepository: 'answer' | 'close'
}

/** dkr.ecr: the OCI distribution API with ECR's manners. */
export function dataPlane(plane: DataPlane): Door {
  return {
    plane: 'dkr',
    route: (call) => actionsOf(call, routeOf(call.url.pathname)),
    failure: (status) =>
      failure(status, status === 429 ? 'TOOMANYREQUESTS' : 'UNKNOWN', WORDS[status] ?? 'unknown error'),
    async handle(call) {
      const route = routeOf(call.url.pathname)
      try {
        const answer = await handle(plane, call, route)
        return {
          ...answer,
          headers: { 'docker-distribution-api-version': 'registry/2.0', ...answer.headers },
        }
      } catch (error) {
        if (!(error instanceof EcrError)) throw error
        if (
          error.type === 'RepositoryNotFoundException' &&
          plane.missingRepository === 'close' &&
          call.method === 'POST'
        )
          return { status: 0, close: true }
        return failure(ociStatus(error), ociCode(error), error.message)
      }
    },
  }
}

// --- internal ---

const WORDS: Readonly<Record<number, string>> = {
  429: 'Rate exceeded',
  500: 'Internal server error',
  502: 'Bad gateway',
  503: 'Service unavailable',
}

async function handle(plane: DataPlane, call: Call, route: Route): Promise<Answer> {
  const judged = plane.tokens.judge(header(call, 'authorization'))
  if (judged.is === 'absent') return challenge(plane.registry, call)
  if (judged.is === 'expired')
    return failure(403, 'DENIED', 'Your authorization token has expired. Reauthenticate and try again.')
  const principal = judged.is === 'good' ? plane.signatures.principal(judged.keyId) : undefined
  if (principal === undefined) return failure(403, 'DENIED', 'Your Authorization Token is invalid.')
  if (route.to === 'ping') return { status: 200 }
  const name = 'repository' in route ? route.repository : undefined
  for (const action of actionsOf(call, route)) plane.charge(call, principal, action, name)
  if (route.to === 'catalog') return catalog(plane.registry, call)
  if (route.to === 'nowhere' || name === undefined) return failure(404, 'UNSUPPORTED', 'Not found')
  if (!REPOSITORY.test(name) || name.length < 2 || name.length > 256)
    return failure(
      400,
      'NAME_INVALID',
      `Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '${REPOSITORY.source.slice(1, -1)}''`,
    )
  return within(plane, principal, call, route, name)
}

async function within(
  plane: DataPlane,
  principal: Principal,
  call: Call,
  route: Exclude<Route, { to: 'ping' | 'catalog' | 'nowhere' }>,
  name: string,
): Promise<Answer> {
  const { registry } = plane
  const { method } = call
  const read = method === 'GET' || method === 'HEAD'
  if (route.to === 'uploads' && method === 'POST')
    return startUpload(plane, principal, call, pushed(plane, principal, call, name))
  if (route.to === 'manifest' && method === 'PUT')
    return putManifestAnswer(registry, call, pushed(plane, principal, call, name), route.reference)
  const repository = repositoryOf(registry, name)
  if (route.to === 'upload') return upload(registry, call, repository, route.id)
  if (route.to === 'manifest' && read) return getManifest(call, repository, route.reference)
  if (route.to === 'blob' && read) return blob(registry, call, repository, route.digest)
  if (route.to === 'tags' && method === 'GET') return tags(call, repository)
  if (route.to === 'referrers' && method === 'GET') return referrers(call, repository, route.digest)
  // Deletion through this door was never dependable: https://github.com/aws/containers-roadmap/issues/1229
  return failure(404, 'UNSUPPORTED', 'The operation is unsupported.')
}

/** The repository of a push, made on the spot when a creation template says so. */
function pushed(plane: DataPlane, principal: Principal, call: Call, name: string): Repository {
  const { registry } = plane
  if (registry.repositories.has(name) || registry.createOnPush === false) return repositoryOf(registry, name)
  if (registry.createOnPush === true) plane.charge(call, principal, 'CreateRepository', name)
  return createRepository(registry, { repositoryName: name })
}

/** Not JSON, and no Bearer realm: https://github.com/google/go-containerregistry/issues/861 */
const challenge = (registry: Registry, call: Call): Answer => ({
  status: 401,
  headers: {
    'content-type': 'text/plain; charset=utf-8',
    'www-authenticate': `Basic realm="${registry.scheme}://${call.url.host}/",service="ecr.amazonaws.com"`,
    'docker-distribution-api-version': 'registry/2.0',
  },
  body: 'Not Authorized\n',
})
