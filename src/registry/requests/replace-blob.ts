import type { Open } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { verified } from '../../oci/verify.ts'
import { RegistryError } from '../error.ts'
import { callTo, nameOf, type RepositoryHandle } from '../repository-calls.ts'
import { download } from './download.ts'
import { uploadBlob } from './upload.ts'

/**
 * Replaces a blob that is there with wrong bytes. Some registries take the new bytes, some believe what they have and
 * take them only after the old blob was deleted, and some keep its bytes until their garbage collection.
 * @throws an integrity error when the registry still gives the wrong ones
 */
export async function replaceBlob(place: RepositoryHandle, target: Descriptor, open: Open): Promise<void> {
  await uploadBlob(place, target, open)
  if (await isRight(place, target)) return
  await deleteBlob(place, target)
  await uploadBlob(place, target, open)
  if (await isRight(place, target)) return
  throw integrityError(
    `the registry keeps other bytes than its digest says for ${target.digest}: it took the right ones, and still gives the wrong ones`,
    {
      where: nameOf(place, target.digest),
      next: 'have who runs the registry delete the blob from its storage (its file, or garbage collection), then run the same command again',
    },
  )
}

// --- internal ---

async function isRight(place: RepositoryHandle, target: Descriptor): Promise<boolean> {
  try {
    const content = verified(download(place, target), target, nameOf(place, target.digest))
    for await (const _ of content) continue
    return true
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'integrity') return false
    throw error
  }
}

/** Many registries allow no deletion; whether the blob is replaced is seen when it is read. */
async function deleteBlob(place: RepositoryHandle, target: Descriptor): Promise<void> {
  try {
    const call = callTo(place, {
      method: 'DELETE',
      path: `blobs/${target.digest}`,
      actions: 'pull,push',
      scopes: [`repository:${place.repository}:delete`],
      expect: [200, 202, 204, 404],
      where: nameOf(place, target.digest),
    })
    await (await place.client.send(call)).discard()
  } catch (error) {
    if (!(error instanceof RegistryError) || error.retryable) throw error
  }
}
