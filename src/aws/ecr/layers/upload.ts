import { littered, release } from '../../../lib/bytes/buffers.ts'
import type { Open } from '../../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../../lib/errors.ts'
import type { Descriptor } from '../../../oci/descriptor.ts'
import type { Ecr } from '../client.ts'
import { isException } from '../../errors.ts'
import { startHash } from './hash.ts'
import { cutParts, partSizeFor, type LayerPart } from './parts.ts'
import { presentLayers } from './presence.ts'

/** How far an upload has come; kept by the caller, it lets a later run go on. */
export interface UploadRecord {
  readonly uploadId: string
  /** Bytes per part. */
  readonly partSize: number
  /** Bytes that the registry has, counted from the start. */
  readonly at: number
}

export interface LayerUpload {
  readonly repository: string
  readonly layer: Pick<Descriptor, 'digest' | 'size'>
  readonly open: Open
  /** From an earlier run. When the registry no longer knows it, the upload starts again. */
  readonly saved?: UploadRecord
  /** Called after every part; `undefined` once there is nothing left to continue with. */
  readonly save?: (record: UploadRecord | undefined) => void | Promise<void>
  /** Bytes that the registry has. May fall back. */
  readonly progress?: (done: number) => void
}

/**
 * Uploads a layer through ECR's own API, in parts: after a cut it goes on at the last byte that arrived, also in a
 * later run, where an upload through the OCI protocol has to start over. Parts of one layer go one after another
 * (the API wants them consecutive). The content is hashed on the way, and nothing wrong is completed.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html
 */
export async function uploadLayer(ecr: Ecr, upload: LayerUpload): Promise<'copied' | 'exists'> {
  let record = usable(upload)
  for (let round = 1; ; round += 1) {
    try {
      record ??= await initiate(ecr, upload)
      record = await sendParts(ecr, upload, record)
      const outcome = await complete(ecr, upload, record)
      await upload.save?.(undefined)
      return outcome
    } catch (error) {
      const differs = isException(error, 'InvalidLayerException')
      if (!differs && !isException(error, 'UploadNotFoundException')) throw error
      await upload.save?.(undefined)
      if (differs && round >= 2) throw notWhatWasSent(upload, error)
      if (round >= ROUNDS) throw error
      record = undefined
    }
  }
}

// --- internal ---

/** An upload id may be gone, and bytes of an earlier run may be of another file: then once more from the start. */
const ROUNDS = 3
/** What sending a part leaves behind counts so many times: all of it is swept before the next one. */
const COPIES = 26
/** Answers that only move the position, in a row. */
const MOVES = 5

const whereOf = ({ repository, layer }: LayerUpload): string =>
  `repository ${repository}, layer ${layer.digest}`

/** A record comes out of a file that anybody may have changed. */
function usable({ saved, layer }: LayerUpload): UploadRecord | undefined {
  if (saved === undefined || !(saved.at >= 0 && saved.at <= layer.size)) return undefined
  return { ...saved, partSize: partSizeFor(layer.size, saved.partSize) }
}

async function initiate(ecr: Ecr, upload: LayerUpload): Promise<UploadRecord> {
  const { uploadId, partSize } = await ecr.call(
    'InitiateLayerUpload',
    (api, options) =>
      api.initiateLayerUpload({ ...ecr.registry, repositoryName: upload.repository }, options),
    whereOf(upload),
  )
  if (uploadId === undefined) {
    throw new BundleError('ecr:InitiateLayerUpload answered without an upload id', {
      kind: 'failed',
      where: whereOf(upload),
    })
  }
  return { uploadId, partSize: partSizeFor(upload.layer.size, partSize), at: 0 }
}

/** Sends what the registry lacks. Content before that is read too, for the digest is over all of it. */
async function sendParts(ecr: Ecr, upload: LayerUpload, begun: UploadRecord): Promise<UploadRecord> {
  const { layer } = upload
  const hash = startHash(layer, whereOf(upload))
  let record = begun
  for (let moves = 0; record.at < layer.size || hash.seen() < layer.size;) {
    const from = Math.min(hash.seen(), record.at)
    const content = hash.through(await upload.open(from), from)
    const parts = cutParts(content, from, record.at, record.partSize)
    let moved = false
    try {
      while (!moved) {
        ecr.signal?.throwIfAborted()
        const sent = await ecr.parts.run(() => sendNext(ecr, upload, record, parts))
        if (sent === undefined) break
        moved = sent.at !== sent.expected
        record = { ...record, at: sent.at }
        upload.progress?.(sent.at)
        await upload.save?.(record)
        if (!moved) moves = 0
      }
    } finally {
      await parts.return(undefined)
    }
    moves += 1
    if (moves > MOVES) {
      throw new BundleError('the registry does not take the parts of a layer', {
        kind: 'failed',
        where: whereOf(upload),
        next: 'upload it without --resumable-uploads',
      })
    }
    if (!moved && Math.min(record.at, hash.seen()) < layer.size) throw shortContent(upload, hash.seen())
  }
  hash.check()
  return record
}

/** Reads a part only when it is its turn: as many as there are layers would be in memory at once. */
async function sendNext(
  ecr: Ecr,
  upload: LayerUpload,
  record: UploadRecord,
  parts: AsyncGenerator<LayerPart>,
): Promise<{ readonly at: number; readonly expected: number } | undefined> {
  const next = await parts.next()
  if (next.done === true) return undefined
  const { at, bytes } = next.value
  const expected = at + bytes.length
  const reached = await sendPart(ecr, upload, record, next.value)
  release(bytes)
  return { at: reached, expected }
}

/** @returns up to where the registry has the layer now */
async function sendPart(
  ecr: Ecr,
  upload: LayerUpload,
  { uploadId }: UploadRecord,
  part: LayerPart,
): Promise<number> {
  const end = part.at + part.bytes.length
  try {
    await ecr.call(
      'UploadLayerPart',
      (api, options) =>
        api.uploadLayerPart(
          {
            ...ecr.registry,
            repositoryName: upload.repository,
            uploadId,
            partFirstByte: part.at,
            partLastByte: end - 1,
            layerPartBlob: part.bytes,
          },
          options,
        ),
      whereOf(upload),
    )
    littered(part.bytes.length * COPIES)
    return end
  } catch (error) {
    if (!isException(error, 'InvalidLayerPartException')) throw error
    const { cause } = error
    const last =
      cause instanceof Error && 'lastValidByteReceived' in cause ? cause.lastValidByteReceived : undefined
    // Nothing there yet is reported as -1, or not at all.
    if (last === undefined || last === null) return 0
    if (typeof last !== 'number' || last >= upload.layer.size) throw error
    return last + 1
  }
}

async function complete(
  ecr: Ecr,
  upload: LayerUpload,
  { uploadId }: UploadRecord,
): Promise<'copied' | 'exists'> {
  const input = { ...ecr.registry, repositoryName: upload.repository, layerDigests: [upload.layer.digest] }
  const where = whereOf(upload)
  try {
    await ecr.call(
      'CompleteLayerUpload',
      (api, options) => api.completeLayerUpload({ ...input, uploadId }, options),
      where,
    )
    return 'copied'
  } catch (error) {
    if (isException(error, 'LayerAlreadyExistsException')) return 'exists'
    // The answer to an earlier attempt may have been lost on its way.
    if (!isException(error, 'UploadNotFoundException')) throw error
    const { repository, layer } = upload
    if (!(await presentLayers(ecr, repository, [layer])).has(layer.digest)) throw error
    return 'copied'
  }
}

const notWhatWasSent = (upload: LayerUpload, cause: unknown): BundleError =>
  integrityError(
    `the registry computes another digest than ${upload.layer.digest} from the bytes it was sent`,
    {
      where: whereOf(upload),
      next: 'something on the way changes bytes (a proxy, faulty memory); try another machine or route',
      cause,
    },
  )

const shortContent = (upload: LayerUpload, at: number): BundleError =>
  integrityError(
    `content of ${upload.layer.digest} is wrong: it ends after ${at} of ${upload.layer.size} bytes`,
    {
      where: whereOf(upload),
    },
  )
