import { OCI_INDEX } from '../../../../src/oci/media-types.ts'
import { EcrError } from '../errors.ts'
import { json, type Answer, type Call } from '../http.ts'
import { page } from '../paging.ts'
import { referrersOf } from '../referrers.ts'
import type { Registry, Repository } from '../registry.ts'

/** Pages of 100, 1000 at most, in no order, text/plain: https://github.com/google/go-containerregistry/issues/681 */
export function tags(call: Call, repository: Repository): Answer {
  const names = [...repository.imageTags.keys()].toSorted((a, b) => Bun.hash.crc32(a) - Bun.hash.crc32(b))
  const { items, next } = paged(call, names)
  return {
    status: 200,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...link(call, next) },
    body: JSON.stringify({ name: repository.name, tags: items }),
  }
}

export function catalog(registry: Registry, call: Call): Answer {
  const { items, next } = paged(call, [...registry.repositories.keys()].toSorted())
  return json(200, { repositories: items }, link(call, next))
}

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers */
export function referrers(call: Call, repository: Repository, digest: string): Answer {
  const type = call.url.searchParams.get('artifactType') ?? undefined
  const manifests = referrersOf(repository, digest, type === undefined ? undefined : [type]).map((image) => ({
    mediaType: image.mediaType,
    digest: image.digest,
    size: image.raw.length,
    ...(image.artifactType === undefined ? {} : { artifactType: image.artifactType }),
    ...(image.annotations === undefined ? {} : { annotations: image.annotations }),
  }))
  return {
    status: 200,
    headers: {
      'content-type': OCI_INDEX,
      ...(type === undefined ? {} : { 'oci-filters-applied': 'artifactType' }),
    },
    body: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
  }
}

// --- internal ---

function paged(
  call: Call,
  all: readonly string[],
): { readonly items: readonly string[]; readonly next: string | undefined } {
  const n = call.url.searchParams.get('n')
  const size = n === null ? 100 : Number(n)
  if (!Number.isSafeInteger(size) || size < 1 || size > 1000)
    throw new EcrError(
      'InvalidParameterException',
      `Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value ${size > 1000 ? 'less than or equal to 1000' : 'greater than or equal to 1'}'`,
    )
  return page(all, call.url.searchParams.get('last') ?? undefined, size)
}

/** `last` is a token here, not a tag: a client can only follow it. */
const link = (call: Call, next: string | undefined): Record<string, string> => {
  if (next === undefined) return {}
  const query = new URLSearchParams({ last: next, n: call.url.searchParams.get('n') ?? '100' })
  return { link: `<${call.url.pathname}?${query}>; rel="next"` }
}
