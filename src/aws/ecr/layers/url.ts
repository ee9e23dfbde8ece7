import { isObject, parseObject } from '../../../oci/manifest.ts'
import { isDigest } from '../../../oci/digest.ts'
import type { Ecr } from '../client.ts'
import { layerBucket } from '../../partition.ts'

/**
 * A URL from which a node would be given a small blob of an image in this repository, as it is given all layers.
 * Presigned: a secret, not to be shown. Undefined when the repository holds no image.
 * @throws an auth error when this identity may not pull
 */
export async function someBlobUrl(ecr: Ecr, repositoryName: string): Promise<string | undefined> {
  const on = { ...ecr.registry, repositoryName }
  const where = `repository ${repositoryName}`
  const { imageIds = [] } = await ecr.call(
    'ListImages',
    (api, options) => api.listImages({ ...on, maxResults: 10 }, options),
    where,
  )
  if (imageIds.length === 0) return undefined
  const { images = [] } = await ecr.call(
    'BatchGetImage',
    (api, options) => api.batchGetImage({ ...on, imageIds }, options),
    where,
  )
  const layerDigest = images.map(({ imageManifest }) => configOf(imageManifest ?? '')).find(isDigest)
  if (layerDigest === undefined) return undefined
  const { downloadUrl } = await ecr.call(
    'GetDownloadUrlForLayer',
    (api, options) => api.getDownloadUrlForLayer({ ...on, layerDigest }, options),
    where,
  )
  return downloadUrl
}

/** Where ECR's layers lie in S3, without an image to ask for. */
export const layerBucketUrl = ({ region, partition }: Pick<Ecr, 'region' | 'partition'>): string =>
  `https://${layerBucket(region)}.s3.${region}.${partition.dnsSuffix}/`

// --- internal ---

/** The digest of the config of an image; an index has none. */
function configOf(manifest: string): unknown {
  const config = parseObject(new TextEncoder().encode(manifest))?.['config']
  return isObject(config) ? config['digest'] : undefined
}
