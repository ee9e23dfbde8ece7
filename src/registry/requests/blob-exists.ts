import type { Descriptor } from '../../oci/descriptor.ts'
import { callTo, nameOf, type RepositoryHandle } from '../repository-calls.ts'
import { headOrGet } from './head.ts'

/**
 * Whether the repository has a blob of this size. Only a 404 says no: a 401 or 403 to HEAD says nothing about the blob.
 * Object stores that a HEAD is redirected to refuse it when the URL was signed for GET.
 */
export async function blobExists(place: RepositoryHandle, target: Descriptor): Promise<boolean> {
  const call = callTo(place, {
    method: 'HEAD',
    path: `blobs/${target.digest}`,
    actions: 'pull',
    expect: [200, 404],
    where: nameOf(place, target.digest),
  })
  const found = await headOrGet<boolean>(place, 'blob', {
    async head() {
      const response = await place.client.send(call)
      await response.discard()
      return response.status === 200 && isWhole(response.headers.get('content-length'), target)
    },
    async get() {
      const response = await place.client.send({
        ...call,
        method: 'GET',
        headers: { range: 'bytes=0-0' },
        expect: [200, 206, 404, 416],
      })
      const { status, headers } = response
      for await (const _ of response.body) break
      if (status === 206) {
        const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]
        return isWhole(total ?? null, target)
      }
      return status === 200 && isWhole(headers.get('content-length'), target)
    },
  })
  return found === true
}

// --- internal ---

/** A blob cut short by a crash of the registry is there, but not whole. */
const isWhole = (size: string | null, target: Descriptor): boolean =>
  size === null || Number(size) === 0 || Number(size) === target.size
