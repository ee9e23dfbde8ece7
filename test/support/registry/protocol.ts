import { createHash, randomUUID } from 'node:crypto'

/** What came in, with its whole body. */
export interface Incoming {
  readonly method: string
  /** Path and query, as sent. */
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

/** What goes out, unless a fault changes it. */
export interface Reply {
  status: number
  headers: Record<string, string>
  body: Buffer
  /** Cut the connection after so many bytes of the body. */
  cutAfter?: number
  /** Send no more after so many bytes, and keep the connection. */
  stallAfter?: number
  /** Milliseconds between the bytes of a slow drip of `dripSize`. */
  dripMs?: number
  dripSize?: number
  /** Never end. */
  endless?: boolean
  /** Cut the connection without any answer. */
  reset?: boolean
  /** Nothing is sent before this. */
  after?: Promise<void>
}

/** Content of the double: blobs by digest per repository, manifests by tag and digest. */
export interface Contents {
  readonly blobs: Map<string, Map<string, Buffer>>
  readonly manifests: Map<string, Map<string, { readonly mediaType: string; readonly raw: Buffer }>>
  readonly sessions: Set<string>
}

export const createContents = (): Contents => ({
  blobs: new Map(),
  manifests: new Map(),
  sessions: new Set(),
})

export const sha256 = (content: Uint8Array): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(JSON.stringify(value)),
})

export const failure = (
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Reply => json(status, { errors: [{ code, message }] }, headers)

export interface ProtocolOptions {
  /** Whether GET /referrers is answered. */
  readonly referrers?: boolean
  /** Tags on a page. */
  readonly pageSize?: number
}

/** Answers by the distribution protocol, strictly: what a client must not rely on is not there. */
export function respond(request: Incoming, contents: Contents, options: ProtocolOptions): Reply {
  if (request.path === '/v2/') return json(200, {})
  const manifest = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(request.path)
  if (manifest !== null) return manifests(request, contents, manifest[1] ?? '', manifest[2] ?? '')
  const upload = /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/.exec(request.path)
  if (upload !== null) return uploads(request, contents, upload[1] ?? '', upload[2] ?? '')
  const blob = /^\/v2\/(.+)\/blobs\/([^/]+)$/.exec(request.path)
  if (blob !== null) return blobs(request, contents, blob[1] ?? '', blob[2] ?? '')
  const tags = /^\/v2\/(.+)\/tags\/list$/.exec(request.path)
  if (tags !== null) return listTags(request, contents, tags[1] ?? '', options.pageSize ?? 100)
  const about = /^\/v2\/(.+)\/referrers\/([^/]+)$/.exec(request.path)
  if (about !== null && options.referrers === true) return referrers(contents, about[1] ?? '', about[2] ?? '')
  return { status: 404, headers: { 'content-type': 'text/plain' }, body: Buffer.from('404 page not found\n') }
}

/** The inner map of a repository, made when missing. */
export function within<T>(all: Map<string, Map<string, T>>, repository: string): Map<string, T> {
  const found = all.get(repository) ?? new Map<string, T>()
  all.set(repository, found)
  return found
}

// --- internal ---

function manifests(request: Incoming, contents: Contents, repository: string, reference: string): Reply {
  const stored = within(contents.manifests, repository)
  if (request.method === 'PUT') {
    const mediaType = request.headers['content-type'] ?? ''
    const digest = sha256(request.body)
    if (reference.startsWith('sha256:') && reference !== digest)
      return failure(400, 'DIGEST_INVALID', 'digest does not match')
    const parsed = JSON.parse(request.body.toString()) as Record<string, unknown>
    const children = (parsed['manifests'] ?? []) as { digest: string }[]
    const missingChild = children.find((child) => !stored.has(child.digest))
    const named = [parsed['config'], ...((parsed['layers'] ?? []) as unknown[])] as (
      | { digest: string }
      | undefined
    )[]
    const missingBlob = named.find(
      (item) => item !== undefined && !within(contents.blobs, repository).has(item.digest),
    )
    if (missingChild !== undefined || missingBlob !== undefined) {
      return failure(404, 'MANIFEST_BLOB_UNKNOWN', `unknown: ${(missingChild ?? missingBlob)?.digest}`)
    }
    stored.set(digest, { mediaType, raw: request.body })
    if (reference !== digest) stored.set(reference, { mediaType, raw: request.body })
    return {
      status: 201,
      headers: { 'docker-content-digest': digest, location: `/v2/${repository}/manifests/${digest}` },
      body: EMPTY,
    }
  }
  const found = stored.get(reference)
  if (found === undefined) return failure(404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  const accepted = (request.headers['accept'] ?? '').split(',').map((type) => type.trim())
  if (!accepted.includes(found.mediaType))
    return failure(404, 'MANIFEST_UNKNOWN', 'accept header does not support it')
  return {
    status: 200,
    headers: { 'content-type': found.mediaType, 'docker-content-digest': sha256(found.raw) },
    body: found.raw,
  }
}

function blobs(request: Incoming, contents: Contents, repository: string, digest: string): Reply {
  const found = within(contents.blobs, repository).get(digest)
  if (found === undefined) return failure(404, 'BLOB_UNKNOWN', 'blob unknown to registry')
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers['range'] ?? '')
  if (range === null) return { status: 200, headers, body: found }
  const first = Number(range[1])
  if (first >= found.length) return failure(416, 'RANGE_INVALID', 'invalid content range')
  const last = range[2] === '' ? found.length - 1 : Math.min(Number(range[2]), found.length - 1)
  const part = found.subarray(first, last + 1)
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${first}-${last}/${found.length}` },
    body: part,
  }
}

function uploads(request: Incoming, contents: Contents, repository: string, id: string): Reply {
  if (request.method === 'POST') {
    const [digest, from] = [request.query.get('mount'), request.query.get('from')]
    const mountable = digest === null || from === null ? undefined : within(contents.blobs, from).get(digest)
    if (digest !== null && mountable !== undefined) {
      within(contents.blobs, repository).set(digest, mountable)
      return { status: 201, headers: { location: `/v2/${repository}/blobs/${digest}` }, body: EMPTY }
    }
    const session = randomUUID()
    contents.sessions.add(session)
    return {
      status: 202,
      headers: { location: `/v2/${repository}/blobs/uploads/${session}?_state=a%2Bb` },
      body: EMPTY,
    }
  }
  if (!contents.sessions.has(id))
    return failure(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
  // distribution refuses a session whose query was lost.
  if (request.query.get('_state') !== 'a+b') return failure(400, 'BLOB_UPLOAD_INVALID', 'state is missing')
  contents.sessions.delete(id)
  if (request.method === 'DELETE') return { status: 204, headers: {}, body: EMPTY }
  const digest = request.query.get('digest')
  if (request.headers['content-length'] === undefined)
    return failure(411, 'SIZE_INVALID', 'a length is required')
  if (digest !== sha256(request.body))
    return failure(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
  within(contents.blobs, repository).set(digest, request.body)
  return {
    status: 201,
    headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest },
    body: EMPTY,
  }
}

function listTags(request: Incoming, contents: Contents, repository: string, pageSize: number): Reply {
  const all = [...within(contents.manifests, repository).keys()].filter((key) => !key.startsWith('sha256:'))
  if (all.length === 0) return failure(404, 'NAME_UNKNOWN', 'repository name not known to registry')
  const size = Math.min(pageSize, Number(request.query.get('n') ?? pageSize))
  const start = Number(request.query.get('last') ?? 0)
  const next =
    start + size < all.length
      ? `</v2/${repository}/tags/list?last=${start + size}&n=${size}>; rel="next"`
      : undefined
  const page = { name: repository, tags: all.slice(start, start + size) }
  return json(200, page, next === undefined ? {} : { link: next })
}

function referrers(contents: Contents, repository: string, digest: string): Reply {
  const found = [...within(contents.manifests, repository)].flatMap(([key, { mediaType, raw }]) => {
    const { subject, artifactType } = JSON.parse(raw.toString()) as {
      subject?: { digest: string }
      artifactType?: string
    }
    if (subject?.digest !== digest || !key.startsWith('sha256:')) return []
    return [
      { mediaType, digest: key, size: raw.length, ...(artifactType === undefined ? {} : { artifactType }) },
    ]
  })
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  return json(200, { schemaVersion: 2, mediaType, manifests: found }, { 'content-type': mediaType })
}

const EMPTY = Buffer.alloc(0)
