import type { Ecr } from '../../aws/ecr/client.ts'
import { presentLayers } from '../../aws/ecr/layers/presence.ts'
import { uploadLayer } from '../../aws/ecr/layers/upload.ts'
import { ensureRepository } from '../../aws/ecr/repositories.ts'
import type { RepositorySettings } from '../../aws/ecr/repository-settings.ts'
import { BundleError, codeOf, messageOf } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { isDigest, type Digest } from '../../oci/digest.ts'
import { openRepository, type Repository } from '../../registry/repository.ts'
import { createSelfMounts } from '../../registry/requests/self-mount.ts'
import type { RegistryClient } from '../../registry/client.ts'
import type { BundleEvent } from '../run/events.ts'
import type { ImportRepository, ImportTarget } from '../run/target.ts'
import type { UploadRecords } from './upload-state.ts'

/** Any OCI registry: repositories come into being with the first push, and blobs can be mounted. */
export const registryTarget = (client: RegistryClient, registry: string): ImportTarget => {
  const bring = createSelfMounts()
  return {
    open: (name) => {
      const repository = openRepository(client, registry, name)
      return {
        ...importing(repository),
        present: () => Promise.resolve(new Set()),
        pushBlob: (target, open, from) => bring(repository, name, target, open, from),
      }
    },
    tags: (repository) => openRepository(client, registry, repository).tags(),
    ensure: () => Promise.resolve('existed'),
    mounting: () => Promise.resolve(true),
  }
}

export interface EcrTargetOptions {
  readonly client: RegistryClient
  readonly registry: string
  readonly ecr: Ecr
  readonly settings: RepositorySettings
  /** Whether the account lets blobs be mounted across repositories. */
  readonly mounting: () => Promise<boolean>
  /** Layers from this size on go through ECR's own upload API, which can continue; bytes. */
  readonly resumableFrom: number
  readonly records: UploadRecords
  readonly emit: Emit<BundleEvent>
}

/** ECR: repositories are made first, large layers are uploaded in parts that survive a cut. */
export const ecrTarget = ({
  client,
  registry,
  ecr,
  settings,
  mounting,
  resumableFrom,
  records,
  emit,
}: EcrTargetOptions): ImportTarget => {
  /** Without a place to write to, an upload cannot go on in a later run; that is no reason to fail in this one. */
  const remember = async (...upload: Parameters<UploadRecords['save']>): Promise<void> => {
    try {
      await records.save(...upload)
    } catch (error) {
      emit({
        type: 'warning',
        message: `cannot remember how far an upload is: ${codeOf(error) ?? messageOf(error)}`,
      })
    }
  }
  return {
    mounting,
    tags: (repository) => openRepository(client, registry, repository).tags(),
    async ensure(name) {
      const { outcome, differences } = await ensureRepository(ecr, name, settings)
      for (const { setting, wanted, found } of differences) {
        emit({
          type: 'warning',
          message: `the repository exists with another ${setting}: ${found} instead of ${wanted}; it is left alone`,
          where: `repository ${name}`,
        })
      }
      return outcome === 'created' ? 'created' : 'existed'
    },
    open(name) {
      const repository = openRepository(client, registry, name)
      return {
        ...importing(repository),
        present: (blobs) => presentIn(ecr, name, repository, blobs),
        async pushBlob(target, open, from) {
          if (target.size < resumableFrom) return repository.pushBlob(target, open, from)
          if (from !== undefined && (await repository.mount(target, from))) return 'mounted'
          const saved = await records.load(name, target.digest)
          return uploadLayer(ecr, {
            repository: name,
            layer: target,
            open,
            save: (record) => remember(name, target.digest, record),
            ...(saved === undefined ? {} : { saved }),
          })
        },
      }
    },
  }
}

// --- internal ---

function importing(repository: Repository): Omit<ImportRepository, 'present' | 'pushBlob'> {
  return {
    head: (reference) => repository.head(reference),
    exists: (target) => repository.exists(target),
    resolve: (reference) => repository.resolve(reference),
    fetch: (target, start) => repository.fetch(target, start),
    referrers: (subject) => repository.referrers(subject),
    replaceBlob: (target, open) => repository.replaceBlob(target, open),
    pushManifest: (manifest, reference) =>
      isDigest(reference)
        ? repository.pushManifest(manifest, reference)
        : repository.tag(manifest, reference),
  }
}

/** By one request for many; what stands in for ECR's API may not know it, but each speaks the registry's protocol. */
async function presentIn(
  ecr: Ecr,
  name: string,
  repository: Repository,
  blobs: readonly Descriptor[],
): Promise<ReadonlySet<Digest>> {
  try {
    return await presentLayers(ecr, name, blobs)
  } catch (error) {
    if (!(error instanceof BundleError) || error.kind === 'cancelled') throw error
    const found = await Promise.all(blobs.map((blob) => repository.exists(blob)))
    return new Set(blobs.filter((_, at) => found[at]).map(({ digest }) => digest))
  }
}
