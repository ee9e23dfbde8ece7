import type { Bytes, Open } from '../../lib/bytes/bytes.ts'
import { BundleError } from '../../lib/errors.ts'
import type { HttpResponse } from '../../lib/http/client.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { verified } from '../../oci/verify.ts'
import { RegistryError } from '../error.ts'
import { callTo, nameOf, type RepositoryHandle } from '../repository-calls.ts'
import { blobExists } from './blob-exists.ts'
import { resolveLocation } from '../transport/redirect.ts'

/**
 * Uploads a blob: one POST, one PUT of the whole with its exact length, and for each retry a new session, because no
 * registry continues an old one reliably. With `from`, the POST asks for a mount first and costs nothing when refused.
 * A PUT without an answer may have succeeded (gateways time out while registries commit), so that is checked before
 * anything is sent again.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
 */
export async function uploadBlob(
  place: RepositoryHandle,
  target: Descriptor,
  open: Open,
  from?: string,
): Promise<'copied' | 'mounted'> {
  const where = nameOf(place, target.digest)
  const patience = place.client.patience(place.registry, where)
  let source: Error | undefined
  const content = async function* (): Bytes {
    try {
      yield* verified(await open(), target, where)
    } catch (error) {
      source = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }
  for (let lost = 0; ;) {
    const session = await startSession(place, target, from)
    if (session === undefined) return 'mounted'
    try {
      await put(place, target, session, async () => content())
      return 'copied'
    } catch (error) {
      await cancel(place, session)
      // What cannot be read here does not get better by asking the registry again.
      if (source !== undefined) throw source
      const again = error instanceof RegistryError && lost < LOST_SESSIONS && isSessionLost(error)
      if (again) lost += 1
      await patience.after(again ? error.again() : error)
      if (await blobExists(place, target)) return 'copied'
    }
  }
}

/** Mounts a blob another repository has; false when the registry would rather have it uploaded. */
export async function mountBlob(place: RepositoryHandle, target: Descriptor, from: string): Promise<boolean> {
  const session = await startSession(place, target, from)
  if (session === undefined) return true
  await cancel(place, session)
  return false
}

// --- internal ---

const LOST_SESSIONS = 2

const POST = { method: 'POST', body: new Uint8Array(0), actions: 'pull,push' } as const

async function put(
  place: RepositoryHandle,
  target: Descriptor,
  session: URL,
  open: () => Promise<Bytes>,
): Promise<void> {
  const url = new URL(session)
  url.searchParams.append('digest', target.digest)
  const response = await place.client.once(
    callTo(place, {
      method: 'PUT',
      path: url.href,
      headers: { 'content-type': 'application/octet-stream' },
      body: { size: target.size, open },
      actions: 'pull,push',
      expect: [201, 200, 202, 204],
      where: nameOf(place, target.digest),
    }),
  )
  await response.discard()
}

/**
 * Another replica answers, the session timed out, or it holds a part of an earlier try: a new one helps. What we
 * send is verified, so a wrong digest is of the session's or the line's making.
 */
const isSessionLost = (error: RegistryError): boolean =>
  error.method === 'PUT' &&
  (error.status === 416 ||
    ['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'DIGEST_INVALID', 'SIZE_INVALID'].some((code) =>
      error.has(code),
    ))

/** The URL to upload to, or undefined when the mount was granted. */
async function startSession(
  place: RepositoryHandle,
  target: Descriptor,
  from?: string,
): Promise<URL | undefined> {
  if (from === undefined) return openSession(place, target)
  const where = nameOf(place, target.digest)
  const query = new URLSearchParams({ mount: target.digest, from })
  try {
    const response = await place.client.send(
      callTo(place, {
        ...POST,
        path: `blobs/uploads/?${query.toString()}`,
        // Bearer registries check the right to read the source as well.
        scopes: from === place.repository ? [] : [`repository:${from}:pull`],
        expect: [202, 201],
        where,
      }),
    )
    await response.discard()
    return response.status === 201 ? undefined : locationOf(response, place, where)
  } catch (error) {
    // A mount is to be refused with 202; whoever refuses it with an error may still take an upload.
    if (!(error instanceof RegistryError) || error.retryable) throw error
    return openSession(place, target)
  }
}

async function openSession(place: RepositoryHandle, target: Descriptor): Promise<URL> {
  const where = nameOf(place, target.digest)
  const response = await place.client.send(
    callTo(place, { ...POST, path: 'blobs/uploads/', expect: [202, 201], where }),
  )
  await response.discard()
  return locationOf(response, place, where)
}

function locationOf(response: HttpResponse, place: RepositoryHandle, where: string): URL {
  const location = response.headers.get('location')
  if (location === null) {
    throw new BundleError(`${place.registry} opened an upload without saying where to (no Location)`, {
      kind: 'failed',
      where,
    })
  }
  const asked = new URL(response.url)
  return resolveLocation(location, asked, asked.origin, where)
}

/** Frees what the registry keeps of a session that came to nothing. It would time out there, so failing is no harm. */
async function cancel(place: RepositoryHandle, session: URL): Promise<void> {
  try {
    const call = callTo(place, {
      method: 'DELETE',
      path: session.href,
      actions: 'pull,push',
      expect: [204, 200, 202, 404],
    })
    await (await place.client.once(call)).discard()
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
  }
}
