import type { Descriptor } from '../../../oci/descriptor.ts'
import type { Digest } from '../../../oci/digest.ts'
import type { Ecr } from '../client.ts'

/**
 * Which of these layers a repository has, whole; a hundred are asked for with each request. Configs are layers too.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html
 */
export async function presentLayers(
  ecr: Ecr,
  repositoryName: string,
  layers: readonly Pick<Descriptor, 'digest' | 'size'>[],
): Promise<ReadonlySet<Digest>> {
  const found = new Map<string, number | undefined>()
  for (let at = 0; at < layers.length; at += BATCH) {
    const layerDigests = layers.slice(at, at + BATCH).map(({ digest }) => digest)
    const answer = await ecr.call(
      'BatchCheckLayerAvailability',
      (api, options) =>
        api.batchCheckLayerAvailability({ ...ecr.registry, repositoryName, layerDigests }, options),
      `repository ${repositoryName}`,
    )
    for (const { layerDigest = '', layerAvailability, layerSize } of answer.layers ?? []) {
      if (layerAvailability === 'AVAILABLE') found.set(layerDigest, layerSize)
    }
  }
  const isWhole = ({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): boolean =>
    found.has(digest) && (found.get(digest) ?? size) === size
  return new Set(layers.filter(isWhole).map(({ digest }) => digest))
}

// --- internal ---

/** Layer digests per request. */
const BATCH = 100
