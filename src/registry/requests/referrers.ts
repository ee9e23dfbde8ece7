import { integrityError } from '../../lib/errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { MANIFEST_LIMIT, parseManifest } from '../../oci/manifest.ts'
import { OCI_INDEX } from '../../oci/media-types.ts'
import { isGone, RegistryError } from '../error.ts'
import { pages } from './listing.ts'
import { getManifest } from './manifests.ts'
import { nameOf, type RepositoryHandle } from '../repository-calls.ts'

/**
 * Manifests whose `subject` is `digest`: by the API of OCI 1.1, else from the tag that stands in for it, else none.
 * @throws an integrity error for a list that is too large: taken for none, it would lose signatures without a word
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function listReferrers(place: RepositoryHandle, digest: Digest): Promise<readonly Descriptor[]> {
  const found = new Map<Digest, Descriptor>()
  try {
    for await (const page of pages(place, `referrers/${digest}`, ASK)) {
      if (page === undefined) return await fallback(place, digest)
      for (const referrer of descriptorsIn(page, digest)) found.set(referrer.digest, referrer)
      if (found.size > MOST) {
        throw integrityError(`the registry lists more than ${MOST} signatures or attestations of one image`, {
          where: nameOf(place, digest),
          next: 'delete what is unused there, or leave out --referrers',
        })
      }
    }
    return [...found.values()]
  } catch (error) {
    // Registries without the API answer 404, some 400 or 405, and a few 401 or 403 for a path they do not know.
    if (error instanceof RegistryError && error.status < 500 && error.status !== 429)
      return fallback(place, digest)
    throw error
  }
}

// --- internal ---

/** The answer is an index, so it is no longer than one may be. */
const ASK = { headers: { accept: OCI_INDEX }, most: MANIFEST_LIMIT }

/** Of one digest; each becomes a root of its own, so a list without end must not fill the memory. */
const MOST = 10_000

async function fallback(place: RepositoryHandle, digest: Digest): Promise<readonly Descriptor[]> {
  try {
    return parseManifest(await getManifest(place, digest.replace(':', '-'))).manifests
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

function descriptorsIn(page: Record<string, unknown>, digest: Digest): readonly Descriptor[] {
  const raw = Buffer.from(JSON.stringify(page))
  return parseManifest({ descriptor: { mediaType: OCI_INDEX, digest, size: raw.length }, raw }).manifests
}
