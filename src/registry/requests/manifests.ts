import { integrityError } from '../../lib/errors.ts'
import { PortalError } from '../../lib/http/error.ts'
import type { HttpResponse } from '../../lib/http/client.ts'
import { retry } from '../../lib/retry.ts'
import type { RawManifest } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf, isDigest } from '../../oci/digest.ts'
import { MANIFEST_LIMIT, mediaTypeOf, parseObject } from '../../oci/manifest.ts'
import { ACCEPT_MANIFESTS, bareMediaType, isManifest } from '../../oci/media-types.ts'
import { readBody } from './body.ts'
import { headOrGet, UNCLEAR } from './head.ts'
import { isGone, RegistryError } from '../error.ts'
import { callTo, nameOf, type RepositoryHandle } from '../repository-calls.ts'
import { isHtml } from '../error-body.ts'

/**
 * HEAD of a manifest: costs no pull at Docker Hub. Falls back to GET where HEAD is not answered in full.
 * @returns undefined when it has no such manifest
 */
export function headManifest(place: RepositoryHandle, reference: string): Promise<Descriptor | undefined> {
  const where = nameOf(place, reference)
  return headOrGet(place, 'manifest', {
    async head() {
      const call = callTo(place, { ...ASK, method: 'HEAD', path: `manifests/${reference}`, where })
      const response = await place.client.send(call)
      await response.discard()
      if (response.status === 404) return undefined
      const digest =
        response.headers.get('docker-content-digest') ?? (isDigest(reference) ? reference : undefined)
      const size = response.headers.get('content-length')
      const mediaType = bareMediaType(response.headers.get('content-type') ?? '')
      return isDigest(digest) && size !== null && Number(size) > 0 && isManifest(mediaType)
        ? { mediaType, digest, size: Number(size) }
        : UNCLEAR
    },
    async get() {
      try {
        return (await getManifest(place, reference)).descriptor
      } catch (error) {
        if (isGone(error)) return undefined
        throw error
      }
    },
  })
}

/**
 * The manifest's own bytes, hashed here; checked against the digest asked for, else against the one the registry
 * names. Never translated: all types are accepted.
 */
export async function getManifest(place: RepositoryHandle, reference: string): Promise<RawManifest> {
  const where = nameOf(place, reference)
  const patience = place.client.patience(place.registry, where)
  return retry(patience, async () => {
    const response = await place.client.once(
      callTo(place, { ...ASK, method: 'GET', path: `manifests/${reference}`, expect: [200], where }),
    )
    return readManifest(response, reference, where)
  })
}

/** PUT of the exact bytes under a tag or under their digest. */
export async function putManifest(
  place: RepositoryHandle,
  { descriptor, raw }: RawManifest,
  reference: string,
): Promise<void> {
  const where = nameOf(place, reference)
  const patience = place.client.patience(place.registry, where)
  let lagging = 0
  await retry(patience, async () => {
    try {
      const response = await place.client.once(
        callTo(place, {
          method: 'PUT',
          path: `manifests/${reference}`,
          headers: { 'content-type': descriptor.mediaType },
          body: raw,
          actions: 'pull,push',
          expect: [201, 200, 202, 204],
          where,
          lane: 'manifest',
        }),
      )
      await response.discard()
      const said = response.headers.get('docker-content-digest')
      if (said !== null && isDigest(said) && said !== descriptor.digest) {
        throw integrityError(`the registry stored ${said} instead of ${descriptor.digest}`, { where })
      }
    } catch (error) {
      // ECR's check lags behind the uploads by a moment: https://github.com/clowdhaus/ocync/pull/104
      const early =
        error instanceof RegistryError && error.has('MANIFEST_BLOB_UNKNOWN') && lagging < LAG_TRIES
      if (!early) throw error
      lagging += 1
      throw error.again()
    }
  })
}

// --- internal ---

const ASK = {
  headers: { accept: ACCEPT_MANIFESTS.join(', ') },
  actions: 'pull',
  expect: [200, 404],
} as const

/** Whoever is larger is refused by the parser in its own words; this only bounds what is read. */
const READ_LIMIT = MANIFEST_LIMIT + 64 * 1024
const LAG_TRIES = 2

async function readManifest(response: HttpResponse, reference: string, where: string): Promise<RawManifest> {
  const contentType = response.headers.get('content-type') ?? ''
  const raw = await readBody(response, {
    most: READ_LIMIT,
    refusal: 'the manifest is larger than the 4 MiB a registry takes',
    where,
  })
  const digest = digestOf(raw)
  const said = response.headers.get('docker-content-digest')
  const expected = isDigest(reference) ? reference : said
  const json = parseObject(raw)
  if (json === undefined && isHtml(Buffer.from(raw.subarray(0, 512)).toString(), contentType)) {
    const { host } = new URL(response.url)
    throw new PortalError(`${host} does not look like a registry: it answers with an HTML page`, host, {
      where,
      next: 'check the host; a login page of a proxy or portal answers like this too',
    })
  }
  if (expected !== null && isDigest(expected) && expected !== digest) {
    throw integrityError(`the manifest has the digest ${digest}, not ${expected}`, {
      where,
      next: 'fetch it again; if it stays wrong, the copy there is damaged or was changed',
    })
  }
  if (json === undefined) throw integrityError('the manifest is not a JSON object', { where })
  const own = json['mediaType']
  const sent = bareMediaType(contentType)
  // https://github.com/opencontainers/image-spec/blob/main/manifest.md: the two must agree.
  if (typeof own === 'string' && isManifest(sent) && own !== sent) {
    throw integrityError(`the manifest says it is ${own}, the registry says ${sent}`, { where })
  }
  return { descriptor: { mediaType: mediaTypeOf(json, contentType), digest, size: raw.length }, raw }
}
