import type { Bytes } from '../../lib/bytes/bytes.ts'
import { RangesRefused } from '../../lib/bytes/windows.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import { HttpError } from '../../lib/http/error.ts'
import { decodedBody, isEncoded } from '../../lib/http/encoding.ts'
import type { HttpResponse } from '../../lib/http/client.ts'
import { resumed, type Stretch } from '../../lib/http/resume.ts'
import { mayLeadTo } from '../../lib/url.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { ACCEPT_MANIFESTS, isForeignLayer, isManifest } from '../../oci/media-types.ts'
import type { Call } from '../client.ts'
import { isGone, RegistryError } from '../error.ts'
import { callTo, nameOf, type RepositoryHandle } from '../repository-calls.ts'

/**
 * The bytes of a blob (or manifest) from `start` to its size. Cuts and stalls are continued with `Range` within one
 * call; a server that answers 200 instead starts over, and what is known is thrown away. Neither hashed nor copied.
 * @param end only the bytes before it
 * @throws RangesRefused when `end` is not that of the content, and something else than this range is sent
 */
export function download(place: RepositoryHandle, target: Descriptor, start = 0, end = target.size): Bytes {
  const { digest, size } = target
  const where = nameOf(place, digest)
  const patience = place.client.patience(place.registry, where)
  const [first, ...others] = callsFor(place, target, where)
  let call = first
  let url = ''
  const isWindow = end < size
  return resumed({
    start,
    end,
    patience,
    progress: Math.min(PROGRESS, size / PROGRESS_PARTS),
    async open(at) {
      const response = await place.client.once(continued(call, at, isWindow ? end : undefined))
      ;({ url } = response)
      if (isWindow && response.status !== 206) {
        await response.discard()
        throw new RangesRefused(`${where}: ${response.status} to a range`)
      }
      return contentOf(response, at, size, where)
    },
    cutShort: (at) => cutShort(url, at, end),
    tooLong: () => tooLong(end, where),
    async failed(error) {
      if (isWindow && error instanceof RegistryError && !error.retryable)
        throw new RangesRefused(error.message, { cause: error })
      const next = isGone(error) ? others.shift() : undefined
      if (next === undefined) await patience.after(error)
      else call = next
    },
  })
}

// --- internal ---

/** Fewer bytes than this, and than this part of the whole, are no progress: it would take for ever. */
const PROGRESS = 64 * 1024
const PROGRESS_PARTS = 64

/** The registry first; for foreign layers, when they are wanted, the places their descriptor names. */
function callsFor(place: RepositoryHandle, target: Descriptor, where: string): [Call, ...Call[]] {
  const manifest = isManifest(target.mediaType)
  const own = callTo(place, {
    method: 'GET',
    path: `${manifest ? 'manifests' : 'blobs'}/${target.digest}`,
    headers: manifest ? { accept: ACCEPT_MANIFESTS.join(', ') } : {},
    actions: 'pull',
    expect: [200],
    where,
  })
  if (place.foreign !== true || !isForeignLayer(target.mediaType)) return [own]
  const elsewhere = (target.urls ?? []).filter(
    (url) => /^https?:\/\//.test(url) && URL.canParse(url) && mayLeadTo(place.registry, new URL(url).host),
  )
  return [own, ...elsewhere.map((path) => ({ ...own, path, scopes: [], anonymous: true }))]
}

const continued = (call: Call, at: number, end: number | undefined): Call => {
  if (at === 0 && end === undefined) return call
  const range = `bytes=${at}-${end === undefined ? '' : end - 1}`
  return { ...call, headers: { ...call.headers, range }, expect: [200, 206] }
}

/** The content a response carries, and how many bytes of it lie before `at`. */
async function contentOf(response: HttpResponse, at: number, size: number, where: string): Promise<Stretch> {
  const { status, headers } = response
  const fail = async (why: string): Promise<BundleError> => {
    await response.discard()
    return integrityError(`the registry sent the wrong bytes: ${why}`, { where })
  }
  // A range of what was compressed on its way is none of the content.
  if (status === 206 && isEncoded(response)) throw await fail('a range of something compressed')
  if (status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)/.exec(headers.get('content-range') ?? '') ?? []
    if (Number(first) !== at) throw await fail(`from ${first ?? 'an unknown place'} on instead of from ${at}`)
    if (total !== undefined && total !== '*' && Number(total) !== size)
      throw await fail(`${total} in all, not ${size}`)
    return { body: response.body, before: 0 }
  }
  const length = headers.get('content-length')
  // Some stores call what they hold encoded and send it as it is; of another length, it was compressed on the way.
  if (isEncoded(response) && Number(length) !== size)
    return { body: decodedBody(response, where), before: at }
  if (length !== null && Number(length) !== size) throw await fail(`${length} of them instead of ${size}`)
  return { body: response.body, before: at }
}

const tooLong = (size: number, where: string): BundleError =>
  integrityError(`the registry sends more than the ${size} bytes the content has`, { where })

function cutShort(url: string, at: number, size: number): HttpError {
  const { host } = new URL(url)
  return new HttpError(`${host}: the body ended after ${at} of ${size} bytes`, 'ECONNRESET', host, true)
}
