import type { Open } from '../../lib/bytes/bytes.ts'
import { BundleError } from '../../lib/errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Repository } from '../repository.ts'

/**
 * Brings a blob into a repository that may have it.
 * @param name of the repository
 * @param from another repository of the registry that has the blob
 */
export type BringBlob = (
  repository: Repository,
  name: string,
  target: Descriptor,
  open: Open,
  from?: string,
) => Promise<'copied' | 'mounted' | 'exists'>

/**
 * Brings blobs to one registry without asking first whether they are there: the POST that every upload begins with
 * asks for a mount from the repository itself, so it finds what is there (201) and opens the upload of what is not
 * (202). Where no mounts are granted, all would be sent again by every run. So the question is asked once more of the
 * first blob that was uploaded, and when the answer is no, blobs are looked for with HEAD from then on.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository
 */
export function createSelfMounts(): BringBlob {
  let grants: boolean | undefined
  let isAsked = false
  return async (repository, name, target, open, from) => {
    if (from !== undefined && from !== name) {
      const outcome = await repository.pushBlob(target, open, from)
      if (outcome === 'mounted') grants = true
      return outcome
    }
    if (grants === false) {
      if (await repository.exists(target)) return 'exists'
      return repository.pushBlob(target, open)
    }
    if ((await repository.pushBlob(target, open, name)) === 'mounted') {
      grants = true
      // What a crash of the registry cut short is there too, but not whole.
      return (await repository.exists(target)) ? 'exists' : repository.pushBlob(target, open)
    }
    if (grants === undefined && !isAsked) {
      isAsked = true
      grants ??= await mountsItself(repository, name, target)
    }
    return 'copied'
  }
}

// --- internal ---

/** The blob has arrived, so a question without an answer is no failure of it: HEAD is always right. */
async function mountsItself(repository: Repository, name: string, target: Descriptor): Promise<boolean> {
  try {
    return await repository.mount(target, name)
  } catch (error) {
    if (error instanceof BundleError && error.kind !== 'cancelled') return false
    throw error
  }
}
