import { BundleError, integrityError } from '../../lib/errors.ts'
import { parseObject } from '../../oci/manifest.ts'
import { readBody } from './body.ts'
import { callTo, type RepositoryHandle } from '../repository-calls.ts'

export interface PageOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** For a list that is not of one repository, in place of the right to pull from it. */
  readonly scopes?: readonly string[]
  /** Bytes of a page. */
  readonly most?: number
}

/**
 * The pages of a list, by their `Link: <…>; rel="next"`, which is opaque: some registries' order and names are.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#content-discovery
 * @throws an integrity error for pages that are too large or do not end: what was read of them is not the list
 */
export async function* pages(
  place: RepositoryHandle,
  path: string,
  { headers, scopes, most = PAGE_LIMIT }: PageOptions = {},
): AsyncIterable<Record<string, unknown> | undefined> {
  const seen = new Set<string>()
  let next: string | undefined = path
  while (next !== undefined && !seen.has(next)) {
    seen.add(next)
    if (seen.size > MAX_PAGES) {
      throw integrityError(`the registry continues its list after ${MAX_PAGES} pages`, {
        where: `${place.registry}/${place.repository}`,
      })
    }
    const response = await place.client.send(
      callTo(place, {
        method: 'GET',
        path: next,
        ...(scopes === undefined ? { actions: 'pull' as const } : { scopes }),
        expect: [200],
        ...(headers === undefined ? {} : { headers }),
      }),
    )
    const page = await readBody(response, {
      most,
      refusal: `the registry's list is larger than ${most / 1024 ** 2} MiB a page`,
      where: `${place.registry}/${place.repository}`,
    })
    yield parseObject(page)
    next = nextOf(response.headers.get('link'), path, place)
  }
}

/**
 * Tags as the registry lists them: any order, all pages.
 * @throws for an answer that is no list: taken for an empty one, it would say that nothing is there
 */
export async function* listTags(place: RepositoryHandle): AsyncIterable<string> {
  // ECR refuses more than 1000 a page: https://github.com/google/go-containerregistry/issues/1091
  for await (const page of pages(place, 'tags/list?n=1000')) {
    if (page === undefined) {
      throw new BundleError('the registry answers with something else than a list of tags', {
        kind: 'failed',
        where: `${place.registry}/${place.repository}`,
        next: 'check the host; a login page of a proxy or portal answers like this too',
      })
    }
    const tags = page['tags']
    if (Array.isArray(tags)) yield* tags.filter((tag) => typeof tag === 'string')
  }
}

// --- internal ---

/** Two million tags. */
const MAX_PAGES = 2_000
/** Some registries give all tags at once, whatever the page size. */
const PAGE_LIMIT = 16 * 1024 * 1024

/**
 * The path of the next page. Registries behind gateways put their own name, or a path that only the gateway knows, into
 * the link; the list goes on where it began, and only its query says from where on.
 */
function nextOf(link: string | null, path: string, place: RepositoryHandle): string | undefined {
  const target = /<([^>]*)>\s*;[^,]*\brel\s*=\s*"?next\b/i.exec(link ?? '')?.[1]
  const here = `https://registry/v2/${place.repository}/${path}`
  if (target === undefined || !URL.canParse(target, here)) return undefined
  const { pathname, search } = new URL(target, here)
  const own = `/v2/${place.repository}/`
  return pathname.startsWith(own)
    ? `${pathname.slice(own.length)}${search}`
    : `${path.split('?', 1)[0]}${search}`
}
