// A read-only registry straight out of a bundle.
import { bytesOf } from '../../lib/bytes/bytes.ts'
import { BundleError } from '../../lib/errors.ts'
import type { ServedAnswer, ServedRequest } from '../../lib/http/server.ts'
import { isDigest } from '../../oci/digest.ts'
import type { GraphNode } from '../../oci/graph.ts'
import { OCI_INDEX } from '../../oci/media-types.ts'
import { isRepository, isTag } from '../../oci/reference.ts'
import type { Bundle } from '../format/open.ts'
import type { Catalog, ServedRepository } from './catalog.ts'
import { createServeBlob, type ServeBlob } from './content.ts'
import { rangeOf } from './range.ts'

/**
 * Answers as a read-only registry, straight out of the bundle: the pull and discovery parts of
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 */
export function createRegistry(
  bundle: Bundle,
  catalog: Catalog,
): (request: ServedRequest) => Promise<ServedAnswer> {
  const serveBlob = createServeBlob(bundle.archive)
  return async (request) => {
    try {
      return route(request, bundle, catalog, serveBlob)
    } catch (error) {
      if (!(error instanceof BundleError)) throw error
      return failure(500, 'UNKNOWN', error.message)
    }
  }
}

// --- internal ---

const VERSION = { 'docker-distribution-api-version': 'registry/2.0' } as const

function route(request: ServedRequest, bundle: Bundle, catalog: Catalog, serveBlob: ServeBlob): ServedAnswer {
  const { method, path, query } = request
  if (path !== '/v2' && !path.startsWith('/v2/')) return failure(404, 'UNSUPPORTED', 'only /v2/ is here')
  if (method !== 'GET' && method !== 'HEAD') {
    const refused = failure(405, 'UNSUPPORTED', 'this registry is a bundle: it can only be read')
    return { ...refused, headers: { ...refused.headers, allow: 'GET, HEAD' } }
  }
  if (path === '/v2' || path === '/v2/') return json(200, {})
  if (path === '/v2/_catalog') {
    const { page, headers } = paged(catalog.names, query, '/v2/_catalog')
    return page === undefined ? badNumber() : json(200, { repositories: page }, headers)
  }
  const [, name = '', kind, reference = ''] =
    /^\/v2\/(.+)\/(manifests|blobs|referrers|tags)\/([^/]+)$/.exec(path) ?? []
  if (kind === undefined) return failure(404, 'UNSUPPORTED', 'no such endpoint')
  const repository = catalog.find(name, query.get('ns') ?? undefined)
  if (repository === undefined) {
    if (!isRepository(name)) return failure(400, 'NAME_INVALID', `not a repository name: ${name}`)
    return failure(404, 'NAME_UNKNOWN', `the bundle has no repository ${name}`)
  }
  if (kind === 'manifests') return manifest(repository, reference)
  if (kind === 'blobs') return blob(request, repository, reference, bundle, serveBlob)
  if (kind === 'referrers') return referrers(repository, reference, query.get('artifactType'))
  if (reference !== 'list') return failure(404, 'UNSUPPORTED', 'no such endpoint')
  const { page, headers } = paged([...repository.tags.keys()].toSorted(), query, path)
  return page === undefined ? badNumber() : json(200, { name, tags: page }, headers)
}

function manifest(repository: ServedRepository, reference: string): ServedAnswer {
  const digest = isDigest(reference) ? reference : repository.tags.get(reference)
  const node = digest === undefined ? undefined : repository.manifests.get(digest)
  if (node === undefined) {
    if (!isDigest(reference) && !isTag(reference))
      return failure(400, 'DIGEST_INVALID', 'neither a tag nor a sha256 digest')
    return failure(404, 'MANIFEST_UNKNOWN', `the bundle has no manifest ${reference} there`)
  }
  const { descriptor, raw } = node
  return {
    status: 200,
    headers: {
      ...VERSION,
      'content-type': descriptor.mediaType,
      'content-length': raw.length,
      'docker-content-digest': descriptor.digest,
      etag: `"${descriptor.digest}"`,
    },
    body: bytesOf(raw),
  }
}

function blob(
  { method, headers }: ServedRequest,
  repository: ServedRepository,
  reference: string,
  { archive }: Bundle,
  serveBlob: ServeBlob,
): ServedAnswer {
  if (!isDigest(reference)) return failure(400, 'DIGEST_INVALID', 'not a sha256 digest')
  const found = repository.blobs.get(reference)
  if (found === undefined || !archive.entries.has(`blobs/sha256/${reference.slice('sha256:'.length)}`))
    return failure(404, 'BLOB_UNKNOWN', `the bundle has no blob ${reference} there`)
  const { size, digest } = found
  const common = {
    ...VERSION,
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
  }
  const range = method === 'GET' ? rangeOf(headers['range'], size) : undefined
  if (range === 'unsatisfiable') {
    const refused = failure(416, 'RANGE_INVALID', `the blob has ${size} bytes`)
    return { ...refused, headers: { ...refused.headers, 'content-range': `bytes */${size}` } }
  }
  const { start, end } = range ?? { start: 0, end: size }
  const body = serveBlob(found, start, end)
  if (range === undefined) return { status: 200, headers: { ...common, 'content-length': size }, body }
  return {
    status: 206,
    headers: {
      ...common,
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${size}`,
    },
    body,
  }
}

function referrers(repository: ServedRepository, reference: string, wanted: string | null): ServedAnswer {
  if (!isDigest(reference)) return failure(400, 'DIGEST_INVALID', 'not a sha256 digest')
  const all = [...repository.manifests.values()]
    .filter((node) => node.manifest.subject?.digest === reference)
    .map(referrerOf)
  const manifests = all.filter(({ artifactType }) => wanted === null || artifactType === wanted)
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
  return json(200, index, {
    'content-type': OCI_INDEX,
    ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
  })
}

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers */
function referrerOf({ descriptor, manifest: { artifactType, config, annotations } }: GraphNode) {
  const type = artifactType ?? config?.mediaType
  return {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  }
}

/** `n` items behind `last`, in the order of their bytes, and where the next page is. */
function paged(
  all: readonly string[],
  query: URLSearchParams,
  path: string,
): { readonly page?: readonly string[]; readonly headers: Record<string, string> } {
  const asked = query.get('n')
  if (asked !== null && !/^\d{1,9}$/.test(asked)) return { headers: {} }
  const last = query.get('last')
  const rest = last === null ? all : all.filter((item) => item > last)
  const page = asked === null ? rest : rest.slice(0, Number(asked))
  const end = page.at(-1)
  if (asked === null || end === undefined || page.length === rest.length) return { page, headers: {} }
  const next = new URLSearchParams({ n: asked, last: end })
  return { page, headers: { link: `<${path}?${next.toString()}>; rel="next"` } }
}

const badNumber = (): ServedAnswer => failure(400, 'PAGINATION_NUMBER_INVALID', 'n is not a number')

const failure = (status: number, code: string, message: string): ServedAnswer =>
  json(status, { errors: [{ code, message }] })

function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): ServedAnswer {
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  const own = { ...VERSION, 'content-type': 'application/json', 'content-length': bytes.length }
  return { status, headers: { ...own, ...headers }, body: bytesOf(bytes) }
}
