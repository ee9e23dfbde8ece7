import { isDigest } from '../../../../src/oci/digest.ts'
import type { Charge } from '../access.ts'
import { EcrError } from '../errors.ts'
import { failure, hasBody, header, type Answer, type Call } from '../http.ts'
import type { Principal, Registry, Repository, Upload } from '../registry.ts'
import { beginUpload, checkOffset, completeUpload, dropUpload, takePart, uploadOf } from '../uploads.ts'

/** HEAD is answered here, GET is redirected to where the bytes lie. */
export function blob(registry: Registry, call: Call, repository: Repository, digest: string): Answer {
  const content = isDigest(digest) && repository.blobs.has(digest) ? registry.blobs.get(digest) : undefined
  if (content === undefined || !isDigest(digest))
    return failure(404, 'BLOB_UNKNOWN', `The layer with digest '${digest}' does not exist`)
  const headers = { 'docker-content-digest': digest, 'content-type': 'application/octet-stream' }
  if (call.method === 'HEAD')
    return { status: 200, headers: { ...headers, 'content-length': String(content.size) } }
  return { status: 307, headers: { ...headers, location: registry.downloadUrl(digest) } }
}

/** POST: a mount where the rules allow it, a new session otherwise. */
export function startUpload(
  doors: { readonly registry: Registry; readonly charge: Charge },
  principal: Principal,
  call: Call,
  repository: Repository,
): Answer {
  const { registry } = doors
  const { mount, from } = Object.fromEntries(call.url.searchParams)
  if (mount !== undefined && from !== undefined && mayMount(doors, principal, call, repository, mount, from))
    return created(registry, call, repository, mount)
  const upload = beginUpload(registry, repository)
  return {
    status: 202,
    headers: { location: locationOf(registry, call, upload), range: '0-0', 'docker-upload-uuid': upload.id },
  }
}

/** PATCH, PUT, GET and DELETE of a session. */
export async function upload(
  registry: Registry,
  call: Call,
  repository: Repository,
  id: string,
): Promise<Answer> {
  const upload = uploadOf(registry, repository.name, id)
  switch (call.method) {
    case 'PATCH': {
      checkOffset(registry, upload, firstByte(call))
      await takePart(upload, call.body)
      // 201 and a Range that stays at the first part: https://github.com/aws/containers-roadmap/issues/2831
      return { status: 201, headers: progress(registry, call, upload) }
    }
    case 'PUT': {
      if (hasBody(call)) checkOffset(registry, upload, firstByte(call))
      if (call.length !== 0) await takePart(upload, call.body)
      const digest = call.url.searchParams.get('digest') ?? ''
      completeUpload(registry, upload, [digest], false)
      return created(registry, call, repository, digest)
    }
    case 'GET':
      return { status: 204, headers: progress(registry, call, upload) }
    case 'DELETE':
      dropUpload(registry, upload)
      return { status: 204 }
    default:
      return failure(404, 'UNSUPPORTED', 'The operation is unsupported.')
  }
}

// --- internal ---

/**
 * Enabled in the account, named by a manifest of the source, and both repositories encrypted with the same key.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html, https://github.com/aws/containers-roadmap/issues/2860
 */
function mayMount(
  { registry, charge }: { readonly registry: Registry; readonly charge: Charge },
  principal: Principal,
  call: Call,
  repository: Repository,
  digest: string,
  from: string,
): boolean {
  const source = registry.repositories.get(from)
  if (registry.settings.get('BLOB_MOUNTING') !== 'ENABLED' || source === undefined || !isDigest(digest))
    return false
  if (![...source.images.values()].some((image) => image.blobs.includes(digest))) return false
  const { type, key } = source.encryption
  if (repository.encryption.type !== type || repository.encryption.key !== key) return false
  try {
    charge(call, principal, 'GetDownloadUrlForLayer', from)
  } catch (error) {
    if (error instanceof EcrError && error.type === 'AccessDeniedException') return false
    throw error
  }
  repository.blobs.add(digest)
  return true
}

/** Without Content-Range a body is taken to begin at 0, so a second body in one session is refused. */
function firstByte(call: Call): number {
  const range = header(call, 'content-range')
  if (range === undefined) return 0
  const match = /^(?:bytes[ =])?(\d+)-(\d+)(?:\/.*)?$/.exec(range)
  if (match === null) throw new EcrError('InvalidParameterException', `Invalid Content-Range '${range}'`)
  return Number(match[1])
}

const locationOf = (registry: Registry, call: Call, upload: Upload): string =>
  `${registry.scheme}://${call.url.host}/v2/${upload.repository}/blobs/uploads/${upload.id}`

const progress = (registry: Registry, call: Call, upload: Upload): Record<string, string> => ({
  location: locationOf(registry, call, upload),
  range: `0-${Math.max(0, (upload.parts[0] ?? 0) - 1)}`,
  'docker-upload-uuid': upload.id,
})

const created = (registry: Registry, call: Call, repository: Repository, digest: string): Answer => ({
  status: 201,
  headers: {
    location: `${registry.scheme}://${call.url.host}/v2/${repository.name}/blobs/${digest}`,
    'docker-content-digest': digest,
  },
})
