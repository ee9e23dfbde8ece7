import { deleteImages, deleteOwnRepository, listImages } from '../../../aws/ecr/images.ts'
import { listRepositories } from '../../../aws/ecr/repository-list.ts'
import type { Ecr } from '../../../aws/ecr/client.ts'
import { BundleError, messageOf } from '../../../lib/errors.ts'
import type { Digest } from '../../../oci/digest.ts'
import { walk, type GraphNode } from '../../../oci/graph.ts'
import { parseManifest } from '../../../oci/manifest.ts'
import { isIndex } from '../../../oci/media-types.ts'
import type { RegistryClient } from '../../../registry/client.ts'
import { isGone, RegistryError } from '../../../registry/error.ts'
import { openRepository } from '../../../registry/repository.ts'
import { deleteManifest, listCatalog } from '../../../registry/requests/delete.ts'

/** A manifest that a registry holds. */
export interface StoredManifest {
  readonly digest: Digest
  readonly tags: readonly string[]
  readonly mediaType: string
  /** Bytes, as far as the registry tells: layers that others share are counted too. */
  readonly size: number
  /** Milliseconds since 1970, where the registry tells. */
  readonly pushedAt?: number
  /** What a signature or an SBOM belongs to. */
  readonly subject?: Digest
}

/** A manifest that the registry did not delete, with its own words. */
export interface Refused {
  readonly digest: Digest
  /** True when another manifest still names it: to be tried again once that one is gone. */
  readonly referenced: boolean
  readonly reason: string
}

/** What deleting needs of a registry. */
export interface PruneStore {
  /** Undefined where the registry does not list its repositories. */
  repositories(): Promise<readonly string[] | undefined>
  manifests(repository: string): Promise<readonly StoredManifest[]>
  /** Those that an index names; none for anything else. */
  children(
    repository: string,
    manifest: Pick<StoredManifest, 'digest' | 'mediaType'>,
  ): Promise<readonly Digest[]>
  /** Deletes them with all their tags. What is gone already counts as deleted. */
  remove(repository: string, digests: readonly Digest[]): Promise<readonly Refused[]>
  /** Deletes an empty repository of our own; false where it stays. */
  removeRepository(repository: string): Promise<boolean>
}

/** ECR lists and deletes through its own API; only indexes are read, to learn what they name. */
export function ecrStore(ecr: Ecr, client: RegistryClient, registry: string): PruneStore {
  return {
    async repositories() {
      const names = await listRepositories(ecr)
      if (names !== undefined) return names
      throw new BundleError('this identity may not list the repositories of the registry', {
        kind: 'auth',
        where: `destination ${registry}`,
        next: 'allow it ecr:DescribeRepositories, as "ma-bundle iam-policy --for prune" prints it',
      })
    },
    manifests: (repository) => listImages(ecr, repository),
    children: childrenIn(client, registry),
    async remove(repository, digests) {
      const failures = await deleteImages(ecr, repository, digests)
      return failures.map(({ digest, code, reason }) => ({
        digest,
        referenced: code === 'ImageReferencedByManifestList',
        reason: `${code}: ${reason}`,
      }))
    },
    removeRepository: (repository) => deleteOwnRepository(ecr, repository),
  }
}

/**
 * Any other registry: what no tag leads to cannot be seen there, so every tag is read. Repositories stay, as the
 * protocol has no way to delete one; the space of blobs comes back with the registry's own garbage collection.
 */
export function registryStore(client: RegistryClient, registry: string): PruneStore {
  return {
    async repositories() {
      try {
        return await listCatalog(client, registry)
      } catch (error) {
        if (error instanceof RegistryError && !error.retryable) return undefined
        throw error
      }
    },
    async manifests(repository) {
      const from = openRepository(client, registry, repository)
      const found = new Map<Digest, StoredManifest>()
      const add = (node: GraphNode, tag: string | undefined): void => {
        const known = found.get(node.descriptor.digest)
        const tags = [...(known?.tags ?? []), ...(tag === undefined ? [] : [tag])]
        const subject = node.manifest.subject?.digest
        found.set(node.descriptor.digest, {
          digest: node.descriptor.digest,
          tags,
          mediaType: node.descriptor.mediaType,
          size: node.blobs.reduce((sum, { size }) => sum + size, 0),
          ...(subject === undefined ? {} : { subject }),
        })
      }
      try {
        for await (const tag of from.tags()) {
          const root = await from.resolve(tag)
          const { nodes } = await walk(from, root, `destination ${registry}/${repository}:${tag}`)
          for (const node of nodes)
            add(node, node.descriptor.digest === root.descriptor.digest ? tag : undefined)
        }
      } catch (error) {
        if (isGone(error)) return [...found.values()]
        throw error
      }
      return [...found.values()]
    },
    children: childrenIn(client, registry),
    async remove(repository, digests) {
      const refused: Refused[] = []
      for (const digest of digests) {
        try {
          await deleteManifest({ client, registry, repository }, digest)
        } catch (error) {
          if (!(error instanceof RegistryError) || error.kind === 'auth' || error.status === 405) throw error
          refused.push({ digest, referenced: /referenc/i.test(error.words), reason: messageOf(error) })
        }
      }
      return refused
    },
    removeRepository: () => Promise.resolve(false),
  }
}

// --- internal ---

const childrenIn =
  (client: RegistryClient, registry: string): PruneStore['children'] =>
  async (repository, { digest, mediaType }) => {
    if (!isIndex(mediaType)) return []
    const raw = await openRepository(client, registry, repository).resolve(digest)
    return parseManifest(raw, `destination ${registry}/${repository}@${digest}`).manifests.map(
      (child) => child.digest,
    )
  }
