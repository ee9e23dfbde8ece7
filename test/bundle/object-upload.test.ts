import { awsConfig } from '../../src/aws/config/config.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { place, type Entry } from '../../src/archive/tar.ts'
import { createS3 } from '../../src/aws/s3/client.ts'
import { parseS3 } from '../../src/aws/s3/location.ts'
import { completeUpload, createUpload } from '../../src/aws/s3/multipart.ts'
import type { BundleEvent } from '../../src/bundle/run/events.ts'
import type { PlannedPart } from '../../src/bundle/media/s3/parts.ts'
import { createProgress } from '../../src/bundle/media/s3/progress.ts'
import { uploadParts } from '../../src/bundle/media/s3/upload.ts'
import { blobPath, type Plan } from '../../src/bundle/format/plan.ts'
import { streamArchive } from '../../src/bundle/export/stream-archive.ts'
import { createHttp } from '../../src/lib/http/client.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { noise } from '../support/images.ts'
import { startS3, type S3Double } from '../support/s3/server.ts'

const MIB = 2 ** 20

let double: S3Double
beforeEach(async () => {
  double = await startS3()
})
afterEach(async () => {
  await double.stop()
  expect(double.errors).toEqual([])
})

/** A plan of blobs in memory; `opened` lists from where each was asked for. */
function planOf(sizes: readonly number[]): { readonly plan: Plan; readonly opened: number[] } {
  const opened: number[] = []
  const head = new TextEncoder().encode('{}')
  const transfers = sizes.map((size, seed) => {
    const bytes = noise(size, seed + 51)
    const descriptor = { mediaType: 'x', digest: digestOf(bytes), size }
    const fetch = (_: unknown, start = 0) => {
      opened.push(start)
      return Promise.resolve(
        (async function* () {
          for (let at = start; at < size; at += MIB) yield bytes.slice(at, at + MIB)
        })(),
      )
    }
    const source = { fetch, resolve: () => Promise.reject(new Error('not asked for')) }
    return { path: blobPath(descriptor.digest), descriptor, name: 'x', sources: [source] }
  })
  const entries: Entry[] = [
    { path: 'bundle.json', size: head.length },
    ...transfers.map(({ path, descriptor: { size } }) => ({ path, size })),
  ]
  return { plan: { entries, head, ready: new Map([['bundle.json', head]]), transfers }, opened }
}

function cut(size: number, ...borders: readonly number[]): PlannedPart[] {
  const all = [0, ...borders, size]
  return all.slice(1).map((end, at) => ({ number: at + 1, start: all[at] ?? 0, end }))
}

describe('parts too large for memory, as archives over 150 GiB have them', { timeout: 60_000 }, () => {
  async function upload(
    breaks: boolean,
  ): Promise<{ readonly events: BundleEvent[]; readonly opened: readonly number[] }> {
    const { plan, opened } = planOf([25 * MIB + 7, 3 * MIB, 10 * MIB])
    const events: BundleEvent[] = []
    const { signal } = new AbortController()
    const emit = (event: BundleEvent): void => void events.push(event)
    const placement = place(plan.entries)
    const parts = cut(placement.size, 17 * MIB, 35 * MIB)
    const location = parseS3('s3://bundles/big.tar')
    const env = double.environment
    const s3 = createS3(location, {
      aws: () => Promise.resolve(awsConfig(env)),
      http: () => createHttp({ env }),
      emit,
      signal,
      policy: { baseMs: 1, maxMs: 5 },
    })
    const target = { s3, location, storage: {} }
    const uploadId = await createUpload(s3, location, {})
    const progress = createProgress({
      placement,
      plan,
      parts,
      uploadId,
      name: 'x',
      found: [],
      states: new Map(),
    })
    if (breaks) {
      double.faults.add(
        { action: 'UploadPart', fault: { kind: 'reset', afterBytes: 12 * MIB }, skip: 1 },
        { action: 'UploadPart', fault: { kind: 'answer', status: 503, code: 'SlowDown' }, skip: 1 },
        { action: 'UploadPart', fault: { kind: 'corrupt', atByte: 3 * MIB }, skip: 1 },
      )
    }
    const session = { emit, signal, concurrency: 4 }
    await uploadParts({
      target,
      plan,
      parts,
      progress,
      session: session as Parameters<typeof uploadParts>[0]['session'],
      tally: { fetched: 0 },
      recordAs: () => Promise.resolve(),
    })
    await completeUpload(s3, location, uploadId, progress.whole())
    const pieces: Uint8Array[] = []
    for await (const piece of streamArchive(plan, { emit: () => undefined, signal, concurrency: 1 }))
      pieces.push(Uint8Array.from(piece))
    const wanted = Buffer.concat(pieces)
    expect(wanted.length).toBe(placement.size)
    expect(Buffer.compare(await double.read('bundles', 'big.tar'), wanted)).toBe(0)
    return { events, opened }
  }

  test('go out as they come, each with its sha256 behind it', async () => {
    const { opened } = await upload(false)
    expect(double.count('UploadPart')).toBe(3)
    expect(opened.filter((start) => start > 0)).toEqual([])
  })

  test('that break off are begun again from their border, inside of a layer by the state of its hash', async () => {
    const { opened } = await upload(true)
    expect(double.count('UploadPart')).toBe(6)
    expect(opened).toContain(17 * MIB - 1536)
  })
})
