import { BundleError } from '../../lib/errors.ts'
import { canonicalRegistry } from '../../oci/alias.ts'
import { isIndex } from '../../oci/media-types.ts'
import { candidates, type Mirrors } from '../../registry/mirror.ts'
import { openRepository } from '../../registry/repository.ts'
import type { KnownManifests } from './image.ts'
import type { Network } from '../run/network.ts'
import type { SpecImage } from '../spec/spec.ts'

/** What an export takes from Docker Hub's quota. */
export interface HubBudget {
  /** Counted pulls, at most: each manifest that is fetched. */
  readonly cost: number
  /** Pulls that remain now and the quota they are of; absent when Docker Hub does not meter us. */
  readonly remaining?: number
  readonly limit?: number
  readonly windowSeconds?: number
}

/**
 * Asks Docker Hub with HEAD, which it does not count, for each image that is to come from there, and says what the
 * real requests will cost. https://docs.docker.com/docker-hub/usage/pulls/
 * @param platforms how many of each index are fetched; undefined for all
 * @param known manifests that are here already
 * @returns undefined when nothing comes from Docker Hub, or it does not answer
 */
export async function hubBudget(
  images: readonly SpecImage[],
  mirrors: Mirrors,
  platforms: number | undefined,
  session: Network,
  known?: KnownManifests,
): Promise<HubBudget | undefined> {
  const own = images.flatMap(({ reference, file }) => {
    if (file !== undefined) return []
    const [first] = candidates(reference, mirrors)
    return first?.registry === 'docker.io' && canonicalRegistry(reference.registry) === 'docker.io'
      ? [first]
      : []
  })
  if (own.length === 0) return undefined
  let answers = 0
  const costs = await Promise.all(
    own.map(async ({ repository, tag, digest }) => {
      try {
        const found = await openRepository(session.client, 'docker.io', repository).head(
          digest ?? tag ?? 'latest',
        )
        answers += 1
        // What an older bundle has whole, with all below it, is not asked for again.
        if (found === undefined || (await known?.(found.digest)) !== undefined) return 0
        // All children of an index that is kept whole are not known by HEAD; six is what official images have.
        // Each may have an attestation, which is a manifest more: BuildKit makes them by default.
        return isIndex(found.mediaType) ? 1 + 2 * (platforms ?? WHOLE_INDEX) : 1
      } catch (error) {
        // What fails here fails again when the image is resolved, and is reported there.
        if (error instanceof BundleError && error.kind !== 'cancelled') return 0
        throw error
      }
    }),
  )
  // Of a Docker Hub that was not reached there is nothing to tell.
  if (answers === 0) return undefined
  const cost = costs.reduce((sum, one) => sum + one, 0)
  const budget = { cost, ...session.client.rateLimit('docker.io') }
  if (budget.remaining !== undefined && cost > budget.remaining) {
    session.emit({
      type: 'warning',
      message: `Docker Hub: up to ${cost} counted pulls are needed, ${budget.remaining} of ${budget.limit ?? '?'} remain`,
      where: 'source docker.io',
      next: 'add --mirror docker.io=mirror.gcr.io, log in with "docker login", or wait for the window to pass',
    })
  }
  return budget
}

// --- internal ---

const WHOLE_INDEX = 6
