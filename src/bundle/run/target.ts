import type { Bytes } from '../../lib/bytes/bytes.ts'
import type { RawManifest } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'

/** A registry that can be imported into. */
export interface ImportTarget {
  open(repository: string): ImportRepository
  /** All tags of a repository. */
  tags(repository: string): AsyncIterable<string>
  /** Looks at the settings of those that exist, before anything is pushed and also where nothing is to be. */
  settle(repositories: readonly string[]): Promise<void>
  /** Makes sure that the repository is there; `created` when it was not. */
  ensure(repository: string): Promise<'created' | 'existed'>
  /** Whether a blob of one repository can be mounted into another. Asked only when something has to be pushed. */
  mounting(): Promise<boolean>
}

export interface ImportRepository extends PushTarget, ReferrersTarget {
  exists(target: Descriptor): Promise<boolean>
  /** Content of a blob that is there, for a repository that cannot mount it. */
  fetch(target: Descriptor, start?: number): Promise<Bytes>
  /** What a tag or digest stands for; undefined when it, or the repository, is not there. */
  head(reference: string): Promise<Descriptor | undefined>
}

/** A repository things are pushed to. */
export interface PushTarget {
  /** Which of these blobs are known to be there. There may be more: `pushBlob` finds out in passing. */
  present(blobs: readonly Descriptor[]): Promise<ReadonlySet<Digest>>
  /**
   * Uploads a blob, or mounts it from another repository of the registry when `from` has it.
   * `open` gives content that is verified while it is read.
   */
  pushBlob(
    target: Descriptor,
    open: (start?: number) => Promise<Bytes>,
    from?: string,
  ): Promise<'copied' | 'mounted' | 'exists'>
  /**
   * Uploads a blob that is there with wrong bytes, and reads it back.
   * @throws an integrity error when the registry keeps the wrong ones
   */
  replaceBlob(target: Descriptor, open: (start?: number) => Promise<Bytes>): Promise<void>
  pushManifest(manifest: RawManifest, reference: string): Promise<void>
}

/** The part of a repository that lists what refers to a digest. */
export interface ReferrersTarget {
  head(reference: string): Promise<Descriptor | undefined>
  resolve(reference: string): Promise<RawManifest>
  referrers(subject: Digest): Promise<readonly Descriptor[]>
  pushManifest(manifest: RawManifest, reference: string): Promise<void>
}
