import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import type { Readable } from 'node:stream'
import { PIECE, take } from '../../lib/bytes/buffers.ts'
import { collect, type Bytes, type RandomReader } from '../../lib/bytes/bytes.ts'
import { inWindows } from '../../lib/bytes/windows.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import { HttpError } from '../../lib/http/error.ts'
import { resumed } from '../../lib/http/resume.ts'
import type { S3 } from './client.ts'
import { statusOf } from './errors.ts'
import type { S3Location } from './location.ts'

/**
 * So much from the beginning comes with the first request and stays in memory: bundle.json, the manifests and most
 * charts, so that opening a bundle costs one request and reading a layer one more.
 */
const HEAD = 8 * 1024 * 1024
/** Behind each stretch its padding is read too, and the next header or the end mark: they are asked for soon. */
const BLOCK = 512
const BEHIND = 2 * BLOCK
/** Stretches that came along; beyond this the oldest go. */
const KEPT = 4096
/** Fewer bytes than this are no progress: it would take for ever. */
const PROGRESS = 256 * 1024

/**
 * An object of S3 as a random reader. Every request names what was opened (`If-Match`), so an object that is replaced
 * meanwhile is noticed; not by its version, which would ask for a permission of its own. Streams that break are continued where they stopped.
 * @throws an error that says whether bucket, key, permission, region or network is at fault
 */
export async function openS3Object(location: S3Location, s3: S3): Promise<RandomReader> {
  const { head, object } = await openHead(location, s3)
  const behind = new Map<number, Uint8Array>()
  const keep = (at: number, bytes: Uint8Array): void => {
    if (bytes.length > 0) behind.set(at, bytes.slice())
    for (const oldest of behind.keys()) {
      if (behind.size <= KEPT) break
      behind.delete(oldest)
    }
  }
  const read = async function* (start: number, length: number): Bytes {
    const end = start + length
    if (end > object.size) {
      throw integrityError(`the object ends at byte ${object.size}, before the ${end} it should have`, {
        where: location.name,
      })
    }
    let at = start
    while (at < Math.min(end, head.length)) {
      const piece = copyOf(head.subarray(at, Math.min(end, head.length, at + PIECE)))
      at += piece.length
      yield piece
    }
    const known = behind.get(at)
    if (known !== undefined && at + known.length >= end) {
      if (at < end) yield known.slice(0, end - at)
      return
    }
    if (at >= end) return
    const padded = Math.ceil(end / BLOCK) * BLOCK
    const until = Math.min(padded + BEHIND, object.size)
    const tail: Uint8Array[] = []
    for await (const chunk of ahead(s3, object, at, until)) {
      const wanted = Math.max(0, Math.min(chunk.length, end - at))
      at += chunk.length
      if (wanted < chunk.length) tail.push(chunk.slice(wanted))
      if (wanted > 0) yield wanted === chunk.length ? chunk : chunk.subarray(0, wanted)
    }
    const rest = Buffer.concat(tail)
    keep(end, rest.subarray(0, Math.min(padded, until) - end))
    if (until > padded) keep(padded, rest.subarray(padded - end))
  }
  return { size: object.size, read, close: () => Promise.resolve() }
}

// --- internal ---

/** The version of the object that was opened. */
interface Opened {
  readonly location: S3Location
  readonly size: number
  readonly etag: string | undefined
}

async function openHead(
  location: S3Location,
  s3: S3,
): Promise<{ readonly head: Uint8Array; readonly object: Opened }> {
  const { bucket: Bucket, key: Key } = location
  // Not HeadObject: its refusals have no words, and the beginning is needed anyway.
  const first = await s3.call('GetObject', async (api, options) => {
    try {
      const answer = await api.getObject({ Bucket, Key, Range: `bytes=0-${HEAD - 1}` }, options)
      if ((answer.ContentLength ?? Infinity) > HEAD) throw noRanges(location)
      return { answer, head: await collect(bodyOf(answer)) }
    } catch (error) {
      if (statusOf(error) === 416) return undefined
      throw error
    }
  })
  if (first === undefined) throw integrityError('the object is empty', { where: location.name })
  const { answer, head } = first
  const size = sizeOf(answer)
  if (head.length !== Math.min(size, HEAD)) {
    throw integrityError(`S3 sent ${head.length} of the first ${Math.min(size, HEAD)} bytes`, {
      where: location.name,
    })
  }
  return { head, object: { location, size, etag: answer.ETag } }
}

/** Of all reads of the process together: with as many reads at a time, each has the one that it needs. */
const CONNECTIONS = 8
let connected = 0

function connect(): (() => void) | undefined {
  if (connected >= CONNECTIONS) return undefined
  connected += 1
  return () => {
    connected -= 1
  }
}

/** The same of a long stretch over several connections, of which S3 gives each so much and no more. */
async function* ahead(s3: S3, object: Opened, start: number, end: number): Bytes {
  connected += 1
  try {
    yield* inWindows(
      {
        range: (from, to) => stretch(s3, object, from, to),
        rest: (from) => stretch(s3, object, from, end),
      },
      { start, size: end, spare: connect },
    )
  } finally {
    connected -= 1
  }
}

/** The bytes from `start` to `end`, in as many requests as it takes. */
function stretch(s3: S3, object: Opened, start: number, end: number): Bytes {
  const { location, etag } = object
  const patience = s3.patience('GetObject')
  return resumed({
    start,
    end,
    patience,
    progress: PROGRESS,
    async open(at) {
      const answer = await s3.once('GetObject', (api, options) =>
        api.getObject(
          {
            Bucket: location.bucket,
            Key: location.key,
            Range: `bytes=${at}-${end - 1}`,
            ...(etag === undefined ? {} : { IfMatch: etag }),
          },
          options,
        ),
      )
      checkRange(answer, at, object)
      return { body: bodyOf(answer), before: 0 }
    },
    cutShort: (at) =>
      new HttpError(
        `the body ended after ${at - start} of ${end - start} bytes`,
        'ECONNRESET',
        location.bucket,
        true,
      ),
    tooLong: () => integrityError('S3 sends more than the requested range', { where: location.name }),
    async failed(error) {
      try {
        await patience.after(error)
      } catch (final) {
        throw s3.explain('GetObject', final, location)
      }
    },
  })
}

/** A store that ignores ranges, or conditions, would have the wrong bytes read as the right ones. */
function checkRange({ ContentRange = '', ETag }: GetObjectCommandOutput, from: number, object: Opened): void {
  const { size, etag, location } = object
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange) ?? []
  if (ETag !== etag || (total !== undefined && Number(total) !== size)) {
    throw new BundleError('the object was replaced while it was read', {
      kind: 'integrity',
      where: location.name,
      next: 'run the same command again: it reads the new one',
    })
  }
  if (Number(first) !== from) {
    throw integrityError(`S3 sent another range than the one from byte ${from}`, { where: location.name })
  }
}

const noRanges = ({ name: where }: S3Location): BundleError =>
  integrityError('this store sends whole objects instead of the requested range', { where })

/** Of the whole object; a store that ignores `Range` for small ones sends all of it. */
function sizeOf({ ContentRange, ContentLength = 0 }: GetObjectCommandOutput): number {
  const total = /\/(\d+)$/.exec(ContentRange ?? '')?.[1]
  return total === undefined ? ContentLength : Number(total)
}

const bodyOf = ({ Body }: GetObjectCommandOutput): Bytes => Body as Readable

/** Whoever uses a piece last may give its memory away. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = take(bytes.length)
  copy.set(bytes)
  return copy
}
