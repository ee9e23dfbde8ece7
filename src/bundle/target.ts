import type { Ecr } from '../aws/ecr.ts'
import { uploadLayer } from '../aws/layer-upload.ts'
import { ensureRepository } from '../aws/repositories.ts'
import type { RepositorySettings } from '../aws/repository-settings.ts'
import type { Emit } from '../lib/events.ts'
import { openRepository } from '../registry/repository.ts'
import type { RegistryClient } from '../registry/client.ts'
import type { BundleEvent } from './events.ts'
import type { ImportRepository, ImportTarget } from './import.ts'

/** Any OCI registry: repositories come into being with the first push, and blobs can be mounted. */
export const registryTarget = (client: RegistryClient, registry: string): ImportTarget => ({
  open: (repository) => repositoryOf(client, registry, repository),
  ensure: () => Promise.resolve('existed'),
  mounting: () => Promise.resolve(true),
})

export interface EcrTargetOptions {
  readonly client: RegistryClient
  readonly registry: string
  readonly ecr: Ecr
  readonly settings: RepositorySettings
  /** Whether the account lets blobs be mounted across repositories. */
  readonly mounting: () => Promise<boolean>
  /** Layers from this size on go through ECR's own upload API, which can continue; bytes. */
  readonly resumableFrom: number
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
  emit,
}: EcrTargetOptions): ImportTarget => ({
  mounting,
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
    const repository = repositoryOf(client, registry, name)
    return {
      ...repository,
      async pushBlob(target, open, from) {
        if (target.size < resumableFrom || from !== undefined) return repository.pushBlob(target, open, from)
        await uploadLayer(ecr, { repository: name, layer: target, open })
        return 'copied'
      },
    }
  },
})

// --- internal ---

function repositoryOf(client: RegistryClient, registry: string, name: string): ImportRepository {
  const repository = openRepository(client, registry, name)
  return {
    head: (reference) => repository.head(reference),
    exists: (target) => repository.exists(target),
    pushManifest: (manifest, reference) => repository.pushManifest(manifest, reference),
    async pushBlob(target, open, from) {
      if (from !== undefined && (await repository.mount(target, from))) return 'mounted'
      await repository.push(target, open)
      return 'copied'
    },
  }
}
