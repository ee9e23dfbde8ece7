import type { Ecr } from '../../aws/ecr/client.ts'
import { presentLayers } from '../../aws/ecr/layers/presence.ts'
import { uploadLayer } from '../../aws/ecr/layers/upload.ts'
import { prefixesMadeOnPush } from '../../aws/ecr/creation-templates.ts'
import { ensureRepository, notMade } from '../../aws/ecr/repositories.ts'
import type { RepositorySettings } from '../../aws/ecr/settings/repository-settings.ts'
import { BundleError, codeOf, messageOf } from '../../lib/errors.ts'
import { isException } from '../../aws/errors.ts'
import { createOnce } from '../../lib/once.ts'
import { RegistryError } from '../../registry/error.ts'
import { advised, explained } from './refusal.ts'
import { settleSettings, type SettledRepositories } from './settings.ts'
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
    settle: () => Promise.resolve(),
    ensure: () => Promise.resolve('existed'),
    mounting: () => Promise.resolve(true),
  }
}

export interface EcrTargetOptions {
  readonly client: RegistryClient
  readonly registry: string
  readonly ecr: Ecr
  readonly settings: RepositorySettings
  /** Change settings that differ, instead of reporting them only. */
  readonly applySettings: boolean
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
  applySettings,
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
  let settled: SettledRepositories | undefined
  /** Those that this identity may not make. */
  const assumed = new Set<string>()
  const templates = createOnce<readonly string[] | undefined>()
  const prefixes = () => prefixesMadeOnPush(ecr)
  return {
    mounting,
    tags: (repository) => openRepository(client, registry, repository).tags(),
    async settle(names) {
      settled = await settleSettings(names, { ecr, settings, apply: applySettings, emit })
    },
    async ensure(name) {
      if (settled?.has(name) === true) {
        await settled.finish(name)
        return 'existed'
      }
      const { outcome } = await ensureRepository(ecr, name, settings, () => templates('all', prefixes))
      if (outcome === 'assumed') assumed.add(name)
      return outcome === 'created' ? 'created' : 'existed'
    },
    open(name) {
      const repository = openRepository(client, registry, name)
      const { pushManifest, ...reading } = importing(repository)
      /** The first push to a repository that only ECR itself, or another client, could have made. */
      const pushing = async <T>(push: () => Promise<T>): Promise<T> => {
        try {
          return await push()
        } catch (error) {
          throw assumed.has(name) && isNoRepository(error) ? notMade(name, error) : error
        }
      }
      const own: ImportRepository = {
        ...reading,
        pushManifest: (manifest, reference) =>
          pushing(() => explained(manifest, () => pushManifest(manifest, reference))),
        present: (blobs) =>
          assumed.has(name) ? Promise.resolve(new Set()) : presentIn(ecr, name, repository, blobs),
        async pushBlob(target, open, from) {
          if (target.size < resumableFrom || assumed.has(name))
            return pushing(() => repository.pushBlob(target, open, from))
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
      return advised(own, ecr.region)
    },
  }
}

// --- internal ---

/** In the words of either door. */
const isNoRepository = (error: unknown): boolean =>
  isException(error, 'RepositoryNotFoundException') ||
  (error instanceof RegistryError &&
    (error.has('NAME_UNKNOWN') ||
      (error.status === 404 && error.method === 'POST') ||
      (error.status === 403 && /ecr:CreateRepository/.test(error.words))))

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
