import { createHash } from 'node:crypto'
import { place } from '../../../archive/tar.ts'
import type { S3 } from '../../../aws/s3/client.ts'
import { beside, type S3Location } from '../../../aws/s3/location.ts'
import {
  abortUpload,
  completeUpload,
  compositeEtag,
  compositeSha256,
  createUpload,
  headObject,
  isSameComposite,
  listParts,
  type S3Part,
} from '../../../aws/s3/multipart.ts'
import { deleteObject, getText, putText, type S3Target } from '../../../aws/s3/object.ts'
import { BundleError, integrityError } from '../../../lib/errors.ts'
import type { Filled } from '../../export/write-archive.ts'
import { planParts, type PlannedPart } from './parts.ts'
import { createProgress, type ObjectProgress } from './progress.ts'
import { decodeRecord, encodeRecord, type ObjectRecord } from './record.ts'
import { uploadParts } from './upload.ts'
import type { Plan } from '../../format/plan.ts'
import type { Network } from '../../run/network.ts'

/**
 * Writes the planned archive as an object of S3, in parts, without a file. It appears when all of it is there and S3
 * has the same sha256 of every part. An export that was cut off leaves its parts and a record beside the object; the
 * same plan goes on from there, another one gives them up.
 */
export async function exportObject(target: S3Target, plan: Plan, session: Network): Promise<Filled> {
  const { s3, location } = target
  const placement = place(plan.entries)
  const parts = planParts(placement)
  const name = nameOf(plan, parts)
  const opened = await openUpload(target, name, parts)
  const { size } = placement
  if (opened === 'done') return { size, fetched: 0, kept: size }
  const progress = createProgress({ placement, plan, parts, ...opened })
  const recordAs = (record: ObjectRecord): Promise<void> =>
    putText(s3, recordOf(location), encodeRecord(record), target.storage)
  const tally = { fetched: 0 }
  const kept = parts[progress.begin()]?.start ?? size
  await uploadParts({ target, plan, parts, progress, session, tally, recordAs })
  await finish(target, progress, size, recordAs)
  return { size, fetched: tally.fetched, kept }
}

/** Gives an unfinished export up: its parts and its record go. @returns whether there was one */
export async function abortObject({ s3, location }: Omit<S3Target, 'storage'>): Promise<boolean> {
  const record = await readRecord(s3, location)
  if (record === undefined) return false
  await abortUpload(s3, location, record.uploadId)
  await deleteObject(s3, recordOf(location))
  return true
}

/**
 * What an unfinished export left.
 * @throws a usage error when something else lies in its place
 */
export async function readRecord(s3: S3, location: S3Location): Promise<ObjectRecord | undefined> {
  const text = await getText(s3, recordOf(location))
  if (text === undefined) return undefined
  const record = decodeRecord(text)
  if (record !== undefined) return record
  throw new BundleError('this object is in the way: no unfinished export left it', {
    kind: 'usage',
    where: recordOf(location).name,
    next: 'move it away, or choose another key for the bundle',
  })
}

// --- internal ---

const recordOf = (location: S3Location): S3Location => beside(location, '.partial')

/** The same for the same bytes in the same parts. */
function nameOf({ head }: Plan, parts: readonly PlannedPart[]): string {
  const hash = createHash('sha256').update(head)
  for (const { end } of parts) hash.update(`${end}\n`)
  return hash.digest('hex')
}

interface Opened {
  readonly uploadId: string
  readonly name: string
  readonly found: readonly S3Part[]
  readonly states: ObjectRecord['states']
}

/** The upload to continue: what an earlier run left of this plan, or a new one. */
async function openUpload(
  target: S3Target,
  name: string,
  parts: readonly PlannedPart[],
): Promise<Opened | 'done'> {
  const { s3, location } = target
  const record = await readRecord(s3, location)
  if (record?.plan === name) {
    const { uploadId, states, sha256 } = record
    const found = await listParts(s3, location, uploadId)
    if (found !== undefined) return { uploadId, name, states, found: found.filter(isPlanned(parts)) }
    // Completed, and then cut off before the record went.
    const there = sha256 === undefined ? undefined : (await headObject(s3, location))?.sha256
    if (sha256 !== undefined && there !== undefined && isSameComposite(there, sha256)) {
      await deleteObject(s3, recordOf(location))
      return 'done'
    }
  }
  if (record !== undefined) await abortUpload(s3, location, record.uploadId)
  const uploadId = await createUpload(s3, location, target.storage)
  const states = new Map<number, string>()
  await putText(s3, recordOf(location), encodeRecord({ uploadId, plan: name, states }), target.storage)
  return { uploadId, name, states, found: [] }
}

const isPlanned =
  (parts: readonly PlannedPart[]) =>
  ({ number, size }: S3Part): boolean => {
    const planned = parts[number - 1]
    return planned !== undefined && planned.end - planned.start === size
  }

async function finish(
  { s3, location }: S3Target,
  progress: ObjectProgress,
  size: number,
  recordAs: (record: ObjectRecord) => Promise<void>,
): Promise<void> {
  const parts = progress.whole()
  const sha256 = compositeSha256(parts)
  const { uploadId } = progress
  if (sha256 !== undefined) await recordAs({ ...progress.record(), sha256 })
  const etag = await completeUpload(s3, location, uploadId, parts)
  const found = await headObject(s3, location)
  const isRight =
    found?.size === size &&
    (sha256 === undefined || found.sha256 === undefined
      ? found.etag === (etag ?? compositeEtag(parts))
      : isSameComposite(found.sha256, sha256))
  if (isRight) await deleteObject(s3, recordOf(location))
  else if (etag === undefined) {
    throw new BundleError('the upload was aborted or replaced by another process', {
      kind: 'failed',
      where: location.name,
      next: 'see who else writes to this key, or which lifecycle rule deletes unfinished uploads, and run it again',
    })
  } else {
    throw integrityError('the object in S3 is not what was uploaded', {
      where: location.name,
      next: 'see who else writes to this key, and export it again',
    })
  }
}
