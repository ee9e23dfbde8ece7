import { randomUUID } from 'node:crypto'
import { isDigest, type Digest } from '../../../src/oci/digest.ts'
import { EcrError, invalidParameter } from './errors.ts'
import { repositoryOf, type Registry, type Repository, type Upload } from './registry.ts'

export const MIN_PART = 5 * 1024 * 1024
/** What InitiateLayerUpload advises. */
export const PART_SIZE = 10 * 1024 * 1024
/** The API field's limit. */
export const MAX_PART = 20_971_520
const MAX_PARTS = 4200
const MAX_LAYER = 52_000 * 1024 * 1024

export function beginUpload(registry: Registry, repository: Repository): Upload {
  const id = randomUUID()
  const upload: Upload = {
    id,
    repository: repository.name,
    staged: registry.blobs.stage(id),
    parts: [],
    busy: false,
  }
  registry.uploads.set(id, upload)
  return upload
}

/** @throws UploadNotFoundException, also for a session of another repository */
export function uploadOf(registry: Registry, repository: string, id: string): Upload {
  const upload = registry.uploads.get(id)
  if (upload === undefined || upload.repository !== repository)
    throw new EcrError(
      'UploadNotFoundException',
      `The upload with id '${id}' does not exist in the repository with name '${repository}' in the registry with id '${registry.account}'`,
    )
  return upload
}

/** @throws InvalidLayerPartException when the part does not begin where the last one ended */
export function checkOffset(registry: Registry, upload: Upload, first: number): void {
  if (first === upload.staged.size && !upload.busy) return
  throw new EcrError(
    'InvalidLayerPartException',
    `First byte of the layer part is ${first} instead of ${upload.staged.size}`,
    {
      registryId: registry.account,
      repositoryName: upload.repository,
      uploadId: upload.id,
      lastValidByteReceived: upload.staged.size - 1,
    },
  )
}

/** Takes a part as it comes. What arrived before the client went away stays, so the session is of no more use. */
export async function takePart(upload: Upload, body: AsyncIterable<Uint8Array>): Promise<number> {
  const before = upload.staged.size
  upload.busy = true
  try {
    for await (const chunk of body) {
      upload.staged.write(chunk)
      if (upload.staged.size > MAX_LAYER)
        throw new EcrError('LimitExceededException', 'The layer exceeds 52000 MiB')
    }
  } finally {
    upload.busy = false
    const size = upload.staged.size - before
    if (size > 0) upload.parts.push(size)
  }
  if (upload.parts.length > MAX_PARTS)
    throw new EcrError('LimitExceededException', `The upload has more than ${MAX_PARTS} layer parts`)
  return upload.staged.size - before
}

/**
 * Names the bytes, if one of the digests is theirs.
 * @throws LayerAlreadyExistsException only with `onlyNew`, as the JSON API does
 */
export function completeUpload(
  registry: Registry,
  upload: Upload,
  digests: readonly string[],
  onlyNew: boolean,
): { readonly digest: Digest; readonly size: number } {
  const repository = repositoryOf(registry, upload.repository)
  if (digests.length === 0 || !digests.every((one) => /^[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+$/.test(one)))
    throw invalidParameter('layerDigests', "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
  const { staged } = upload
  const where = `in the repository with name '${repository.name}' in the registry with id '${registry.account}'`
  if (staged.size === 0)
    throw new EcrError(
      'EmptyUploadException',
      `The upload with id '${upload.id}' ${where} cannot be completed because it does not have any parts`,
    )
  if (upload.parts.slice(0, -1).some((size) => size < MIN_PART))
    throw new EcrError(
      'LayerPartTooSmallException',
      `The upload with id '${upload.id}' ${where} has parts smaller than ${MIN_PART} bytes; only the last part may be`,
    )
  const digest = staged.digest()
  if (!digests.filter(isDigest).includes(digest))
    throw new EcrError(
      'InvalidLayerException',
      'None of the provided layer digests match the calculated layer digest',
    )
  const known = repository.blobs.has(digest)
  if (known && onlyNew)
    throw new EcrError('LayerAlreadyExistsException', `Layer with digest '${digest}' already exists ${where}`)
  const { size } = staged
  staged.keep(digest)
  registry.uploads.delete(upload.id)
  repository.blobs.add(digest)
  return { digest, size }
}

export function dropUpload(registry: Registry, upload: Upload): void {
  upload.staged.discard()
  registry.uploads.delete(upload.id)
}
