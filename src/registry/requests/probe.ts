import { integrityError } from '../../lib/errors.ts'
import type { HttpResponse } from '../../lib/http/client.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { callTo, nameOf, type RepositoryHandle } from '../repository-calls.ts'

/**
 * Asks for the first and the last byte of a blob, each through the registry's redirect, as a pull begins and ends. HEAD
 * would not do: a URL that ECR signs for GET refuses it.
 * @returns how many requests it took
 * @throws what a pull would fail with; an integrity error when the registry has another size
 */
export async function probeBlob(place: RepositoryHandle, target: Descriptor): Promise<number> {
  if (target.size === 0) return 0
  const ranged = await probe(place, target, 0)
  if (!ranged || target.size === 1) return 1
  await probe(place, target, target.size - 1)
  return 2
}

// --- internal ---

/** Whether the range was honoured. */
async function probe(place: RepositoryHandle, { digest, size }: Descriptor, at: number): Promise<boolean> {
  const where = nameOf(place, digest)
  const response = await place.client.send(
    callTo(place, {
      method: 'GET',
      path: `blobs/${digest}`,
      headers: { range: `bytes=${at}-${at}` },
      actions: 'pull',
      expect: [200, 206],
      where,
    }),
  )
  const known = sizeOf(response)
  const isRange = response.status === 206
  await response.discard()
  if (known === undefined || known === size) return isRange
  throw integrityError(`the blob ${digest} has ${known} bytes, its manifest says ${size}`, {
    where,
    next: 'push it again: ma-bundle import --repair',
  })
}

function sizeOf({ status, headers }: HttpResponse): number | undefined {
  const text =
    status === 206 ? /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] : headers.get('content-length')
  return text === undefined || text === null || text === '' ? undefined : Number(text)
}
