import type { Digest } from '../../oci/digest.ts'
import type { RegistryClient } from '../client.ts'
import { RegistryError } from '../error.ts'
import { callTo, nameOf, type RepositoryHandle } from '../repository-calls.ts'
import { pages } from './listing.ts'

/**
 * Deletes a manifest by digest; the registry drops its tags with it. One that is not there is no failure.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-manifests
 * @throws with advice where the registry does not let anybody delete
 */
export async function deleteManifest(place: RepositoryHandle, digest: Digest): Promise<void> {
  const where = nameOf(place, digest)
  try {
    const response = await place.client.send(
      callTo(place, {
        method: 'DELETE',
        path: `manifests/${digest}`,
        actions: 'delete',
        expect: [202, 200, 204, 404],
        where,
      }),
    )
    await response.discard()
  } catch (error) {
    if (!(error instanceof RegistryError) || error.status !== 405) throw error
    throw new RegistryError(error.message, error.facts, {
      where,
      next: 'let the registry delete (docker-registry: REGISTRY_STORAGE_DELETE_ENABLED=true), or delete there by its own means',
    })
  }
}

/**
 * Names of all repositories, for registries that list them: `_catalog` is no part of the specification.
 * https://distribution.github.io/distribution/spec/api/#listing-repositories
 */
export async function listCatalog(client: RegistryClient, registry: string): Promise<readonly string[]> {
  const names: string[] = []
  const place: RepositoryHandle = { client, registry, repository: '' }
  for await (const page of pages(place, '/v2/_catalog?n=1000', { scopes: ['registry:catalog:*'] })) {
    const repositories = page?.['repositories']
    if (Array.isArray(repositories)) names.push(...repositories.filter((name) => typeof name === 'string'))
  }
  return names
}
