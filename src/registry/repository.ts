import { collect, type Bytes, type Open } from '../lib/bytes/bytes.ts'
import type { RawManifest, Source, Target } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { isManifest } from '../oci/media-types.ts'
import { verified } from '../oci/verify.ts'
import type { RegistryClient } from './client.ts'
import { download } from './requests/download.ts'
import { RegistryError } from './error.ts'
import { listTags } from './requests/listing.ts'
import { getManifest, headManifest, putManifest } from './requests/manifests.ts'
import { blobExists } from './requests/blob-exists.ts'
import { listReferrers } from './requests/referrers.ts'
import { replaceBlob } from './requests/replace-blob.ts'
import { nameOf, type RepositoryHandle } from './repository-calls.ts'
import { mountBlob, uploadBlob } from './requests/upload.ts'

/** One repository of one registry. Picks the endpoint for manifests or for blobs by media type. */
export interface Repository extends Source, Target {
  /** What a tag or digest stands for, by HEAD; undefined only when the registry says that there is none. */
  head(reference: string): Promise<Descriptor | undefined>
  /** Uploads a blob, or mounts it from another repository of the registry, when `from` is given and it may. */
  pushBlob(target: Descriptor, open: Open, from?: string): Promise<'copied' | 'mounted'>
  /** Uploads a blob that is there with wrong bytes. @throws an integrity error when the registry keeps those */
  replaceBlob(target: Descriptor, open: Open): Promise<void>
  pushManifest(manifest: RawManifest, reference: string): Promise<void>
  mount(target: Descriptor, from: string): Promise<boolean>
  referrers(digest: Digest): Promise<readonly Descriptor[]>
  tags(): AsyncIterable<string>
}

export interface RepositoryOptions {
  /** Fetch foreign layers that the registry lacks from where their `urls` say, anonymously. */
  readonly foreign?: boolean
}

/** Asks nothing of the registry yet. `registry` is as in references: `docker.io`, `localhost:5000`. */
export function openRepository(
  client: RegistryClient,
  registry: string,
  repository: string,
  options: RepositoryOptions = {},
): Repository {
  const place: RepositoryHandle = { client, registry, repository, ...options }
  const head = (reference: string) => headManifest(place, reference)
  return {
    head,
    resolve: (reference) => getManifest(place, reference),
    fetch: async (target, start = 0) => download(place, target, start),
    fetchRange: (target, start, end) => download(place, target, start, end),
    exists: async (target) =>
      isManifest(target.mediaType) ? (await head(target.digest)) !== undefined : blobExists(place, target),
    async push(target, open) {
      if (!isManifest(target.mediaType)) await uploadBlob(place, target, open)
      else await putManifest(place, await readWhole(place, target, open), target.digest)
    },
    pushBlob: (target, open, from) => uploadBlob(place, target, open, from),
    replaceBlob: (target, open) => replaceBlob(place, target, open),
    pushManifest: (manifest, reference) => putManifest(place, manifest, reference),
    async tag(root, tag) {
      try {
        await putManifest(place, root, tag)
      } catch (error) {
        // Immutable tags refuse even what they already stand for: https://github.com/aws/containers-roadmap/issues/2380
        if (!(error instanceof RegistryError) || !/immutable/i.test(error.words)) throw error
        if ((await head(tag))?.digest !== root.descriptor.digest) throw error
      }
    },
    mount: (target, from) => mountBlob(place, target, from),
    referrers: (digest) => listReferrers(place, digest),
    tags: () => listTags(place),
  }
}

// --- internal ---

async function readWhole(
  place: RepositoryHandle,
  descriptor: Descriptor,
  open: () => Promise<Bytes>,
): Promise<RawManifest> {
  return {
    descriptor,
    raw: await collect(verified(await open(), descriptor, nameOf(place, descriptor.digest))),
  }
}
