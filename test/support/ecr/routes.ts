import { hasBody, type Call } from './http.ts'
import type { ApiAction } from './options.ts'

/** What a request to `/v2/` is about. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints */
export type Route =
  | { readonly to: 'ping' }
  | { readonly to: 'catalog' }
  | { readonly to: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly to: 'uploads'; readonly repository: string }
  | { readonly to: 'upload'; readonly repository: string; readonly id: string }
  | { readonly to: 'blob'; readonly repository: string; readonly digest: string }
  | { readonly to: 'tags'; readonly repository: string }
  | { readonly to: 'referrers'; readonly repository: string; readonly digest: string }
  | { readonly to: 'nowhere' }

export function routeOf(path: string): Route {
  const rest = /^\/v2\/(.*)$/.exec(decoded(path))?.[1]
  if (path === '/v2' || rest === '') return { to: 'ping' }
  if (rest === undefined) return { to: 'nowhere' }
  if (rest === '_catalog') return { to: 'catalog' }
  const match =
    /^(?<repository>.+)\/(?:manifests\/(?<reference>[^/]+)|blobs\/(?<uploads>uploads)\/?|blobs\/uploads\/(?<id>[^/]+)|blobs\/(?<digest>[^/]+)|(?<tags>tags\/list)|referrers\/(?<subject>[^/]+))$/.exec(
      rest,
    )?.groups
  if (match === undefined) return { to: 'nowhere' }
  const { repository = '', reference, uploads, id, digest, tags, subject } = match
  if (reference !== undefined) return { to: 'manifest', repository, reference }
  if (uploads !== undefined) return { to: 'uploads', repository }
  if (id !== undefined) return { to: 'upload', repository, id }
  if (digest !== undefined) return { to: 'blob', repository, digest }
  if (subject !== undefined) return { to: 'referrers', repository, digest: subject }
  return tags === undefined ? { to: 'nowhere' } : { to: 'tags', repository }
}

/** The API actions behind one request: what its quota and its permission are called. */
export function actionsOf(call: Call, route: Route): readonly ApiAction[] {
  const read = call.method === 'GET' || call.method === 'HEAD'
  switch (route.to) {
    case 'manifest':
      return [call.method === 'PUT' ? 'PutImage' : 'BatchGetImage']
    case 'uploads':
      return ['InitiateLayerUpload']
    case 'upload':
      if (call.method === 'PATCH') return ['UploadLayerPart']
      if (call.method === 'PUT')
        return hasBody(call) ? ['UploadLayerPart', 'CompleteLayerUpload'] : ['CompleteLayerUpload']
      return []
    case 'blob':
      return read ? [call.method === 'HEAD' ? 'BatchCheckLayerAvailability' : 'GetDownloadUrlForLayer'] : []
    case 'tags':
      return ['ListImages']
    case 'referrers':
      return ['ListImageReferrers']
    case 'catalog':
      return ['DescribeRepositories']
    default:
      return []
  }
}

// --- internal ---

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (error instanceof URIError) return path
    throw error
  }
}
