import type { Descriptor } from '../../oci/descriptor.ts'
import { RegistryError } from '../error.ts'
import { callTo, nameOf, type Place } from '../repository-calls.ts'

/**
 * Whether the repository has a blob. Only a 404 says no: a 401 or 403 to HEAD says nothing about the blob.
 */
export async function blobExists(place: Place, target: Descriptor): Promise<boolean> {
  const where = nameOf(place, target.digest)
  const call = callTo(place, {
    method: 'HEAD',
    path: `blobs/${target.digest}`,
    actions: 'pull',
    expect: [200, 404],
    where,
  })
  try {
    const response = await place.client.send(call)
    await response.discard()
    const size = response.headers.get('content-length')
    // A blob cut short by a crash of the registry is there, but not whole.
    return response.status === 200 && (size === null || Number(size) === 0 || Number(size) === target.size)
  } catch (error) {
    // Object stores that a HEAD is redirected to refuse it when the URL was signed for GET.
    if (
      !(error instanceof RegistryError) ||
      error.status !== 403 ||
      new URL(error.url).host === place.registry
    )
      throw error
    const first = { ...call, method: 'GET', headers: { range: 'bytes=0-0' }, expect: [200, 206, 404, 416] }
    const response = await place.client.send(first)
    const { status } = response
    for await (const _ of response.body) break
    return status === 200 || status === 206
  }
}
