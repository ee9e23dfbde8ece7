import { isDigest } from '../../../../src/oci/digest.ts'
import { EcrError, invalidParameter } from '../errors.ts'
import { number, text, texts } from '../input.ts'
import type { Operations } from '../operation.ts'
import { repositoryOf } from '../registry.ts'
import {
  beginUpload,
  checkOffset,
  completeUpload,
  MAX_PART,
  PART_SIZE,
  takePart,
  uploadOf,
} from '../uploads.ts'
import { named } from './repositories.ts'

const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

/** The layer-part API that docker's own pushes go through behind the OCI door. */
export const layers: Operations = {
  BatchCheckLayerAvailability({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const layers: object[] = []
    const failures: object[] = []
    for (const layerDigest of texts(input, 'layerDigests', 1, 100)) {
      if (!isDigest(layerDigest)) {
        failures.push({
          layerDigest,
          failureCode: 'InvalidLayerDigest',
          failureReason: 'Invalid layer digest, failed to be parsed.',
        })
        continue
      }
      const content = repository.blobs.has(layerDigest) ? registry.blobs.get(layerDigest) : undefined
      if (content === undefined) {
        failures.push({
          layerDigest,
          failureCode: 'MissingLayerDigest',
          failureReason: 'Layer digest not found',
        })
      } else {
        layers.push({
          layerDigest,
          layerAvailability: 'AVAILABLE',
          layerSize: content.size,
          mediaType: LAYER,
        })
      }
    }
    return { layers, failures }
  },

  InitiateLayerUpload({ registry, input }) {
    const upload = beginUpload(registry, repositoryOf(registry, text(input, 'repositoryName')))
    return { uploadId: upload.id, partSize: PART_SIZE }
  },

  async UploadLayerPart({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const upload = uploadOf(registry, repository.name, text(input, 'uploadId'))
    const first = number(input, 'partFirstByte')
    const last = number(input, 'partLastByte')
    const part = Buffer.from(text(input, 'layerPartBlob'), 'base64')
    if (part.length > MAX_PART)
      throw invalidParameter('layerPartBlob', `Member must have length less than or equal to ${MAX_PART}`)
    if (part.length !== last - first + 1)
      throw invalidParameter('partLastByte', `the part has ${part.length} bytes, not ${last - first + 1}`)
    checkOffset(registry, upload, first)
    await takePart(upload, new Blob([part]).stream())
    return {
      ...named(registry, repository.name),
      uploadId: upload.id,
      lastByteReceived: upload.staged.size - 1,
    }
  },

  CompleteLayerUpload({ registry, input }) {
    const name = repositoryOf(registry, text(input, 'repositoryName')).name
    const upload = uploadOf(registry, name, text(input, 'uploadId'))
    const { digest } = completeUpload(registry, upload, texts(input, 'layerDigests', 1, 100), true)
    return { ...named(registry, name), uploadId: upload.id, layerDigest: digest }
  },

  GetDownloadUrlForLayer({ registry, input }) {
    const repository = repositoryOf(registry, text(input, 'repositoryName'))
    const layerDigest = text(input, 'layerDigest')
    if (!isDigest(layerDigest) || !repository.blobs.has(layerDigest))
      throw new EcrError(
        'LayersNotFoundException',
        `The layer with digest ${layerDigest} does not exist within the repository with name '${repository.name}' in the registry with id '${registry.account}'`,
      )
    return { downloadUrl: registry.downloadUrl(layerDigest), layerDigest }
  },
}
