import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ecr } from '../../src/aws/ecr/client.ts'
import { uploadLayer, type LayerUpload, type UploadRecord } from '../../src/aws/ecr/layers/upload.ts'
import { ensureRepository } from '../../src/aws/ecr/repositories.ts'
import type { Bytes } from '../../src/lib/bytes/bytes.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { openEcr, refusalOf } from '../support/ecr-client.ts'
import { startEcr, type Ecr as Double } from '../support/ecr/server.ts'

const MIB = 1024 * 1024
const content = new Uint8Array(randomBytes(12.5 * MIB))
const layer = { digest: digestOf(content), size: content.length }
const repository = 'mirrored/big'

/** Content in pieces that fit no part. */
async function* pieces(bytes: Uint8Array, start = 0): Bytes {
  for (let at = start; at < bytes.length; at += 300_007) yield bytes.subarray(at, at + 300_007)
}

const open = async (start = 0) => pieces(content, start)

let double: Double
let ecr: Ecr
beforeEach(async () => {
  double = await startEcr()
  ;({ ecr } = openEcr(double))
  await ensureRepository(ecr, repository)
})
afterEach(async () => {
  ecr.close()
  await double.stop()
})

const upload = (more: Partial<LayerUpload> = {}) => uploadLayer(ecr, { repository, layer, open, ...more })
const isThere = () => double.repository(repository)?.blobs.has(layer.digest)
/** Whole parts that arrived. */
const sent = () =>
  double.log.entries.filter((entry) => entry.actions.includes('UploadLayerPart') && entry.status === 200)
    .length

describe('uploadLayer', () => {
  test('sends parts of the least size the registry takes', async () => {
    const done: number[] = []
    expect(await upload({ progress: (at) => done.push(at) })).toBe('copied')
    expect(isThere()).toBe(true)
    expect(done).toEqual([5 * MIB, 10 * MIB, 12.5 * MIB])
    expect(double.log.count('InitiateLayerUpload')).toBe(1)
    expect(double.log.count('UploadLayerPart')).toBe(3)
    expect(double.log.count('CompleteLayerUpload')).toBe(1)
  })

  test('sends a layer smaller than the smallest part', async () => {
    const small = new TextEncoder().encode('{}')
    const outcome = await upload({
      layer: { digest: digestOf(small), size: 2 },
      open: async () => pieces(small),
    })
    expect(outcome).toBe('copied')
    expect(double.repository(repository)?.blobs.has(digestOf(small))).toBe(true)
  })

  test('is content with a layer that is there', async () => {
    await upload()
    expect(await upload()).toBe('exists')
  })

  test('goes on behind a part whose answer was lost, without sending it again', async () => {
    double.faults.add({ on: { action: 'UploadLayerPart' }, fault: { kind: 'lose-answer' }, skip: 1 })
    expect(await upload()).toBe('copied')
    expect(isThere()).toBe(true)
    expect(double.log.count('InitiateLayerUpload')).toBe(1)
    // Of three parts one was answered into the void, tried again by the SDK, and refused with the position.
    expect(double.log.count('UploadLayerPart')).toBe(4)
  })

  test('sends only the part again that a reset cut', async () => {
    double.faults.add({
      on: { action: 'UploadLayerPart' },
      fault: { kind: 'reset', afterBytes: 6 * MIB },
      skip: 1,
      times: 2,
    })
    expect(await upload()).toBe('copied')
    expect(isThere()).toBe(true)
    expect(sent()).toBe(3)
  })

  test('takes the loss of the last answer for what it is', async () => {
    double.faults.add({ on: { action: 'CompleteLayerUpload' }, fault: { kind: 'lose-answer' } })
    expect(await upload()).toBe('copied')
    expect(isThere()).toBe(true)
    expect(double.log.count('UploadLayerPart')).toBe(3)
  })

  test('goes on in a later run where the former one broke', async () => {
    let record: UploadRecord | undefined
    const save = (now: UploadRecord | undefined): void => {
      record = now
    }
    const broken = async function* (): Bytes {
      yield* pieces(content.subarray(0, 22 * MIB))
      throw new Error('the medium was pulled out')
    }
    await expect(upload({ save, open: async () => broken() })).rejects.toThrow('pulled out')
    expect(record?.at).toBe(10 * MIB)
    expect(sent()).toBe(2)

    const saved = record
    expect(await upload({ save, ...(saved === undefined ? {} : { saved }) })).toBe('copied')
    expect(isThere()).toBe(true)
    expect(sent()).toBe(3)
    expect(double.log.count('InitiateLayerUpload')).toBe(1)
    expect(record).toBeUndefined()
  })

  test('goes on from what the registry has when the record is behind it', async () => {
    let record: UploadRecord | undefined
    const stop = new Error('stop')
    const save = (now: UploadRecord | undefined): void => {
      record ??= now
      if (now?.at === 10 * MIB) throw stop
    }
    await expect(upload({ save })).rejects.toBe(stop)
    expect(record?.at).toBe(5 * MIB)
    const saved = record
    expect(await upload(saved === undefined ? {} : { saved })).toBe('copied')
    expect(sent()).toBe(3)
    expect(isThere()).toBe(true)
  })

  test('completes what a former run sent to the last byte', async () => {
    let record: UploadRecord | undefined
    const stop = new Error('stop')
    const save = (now: UploadRecord | undefined): void => {
      record = now
      if (now?.at === content.length) throw stop
    }
    await expect(upload({ save })).rejects.toBe(stop)
    const saved = record
    expect(await upload(saved === undefined ? {} : { saved })).toBe('copied')
    expect(sent()).toBe(3)
    expect(isThere()).toBe(true)
  })

  test('starts anew when the registry has forgotten the upload', async () => {
    const saved = { uploadId: crypto.randomUUID(), partSize: 5 * MIB, at: 5 * MIB }
    expect(await upload({ saved })).toBe('copied')
    expect(isThere()).toBe(true)
    expect(sent()).toBe(3)
  })

  test.each([
    { partSize: 0, at: 5 * MIB },
    { partSize: Number.NaN, at: 0 },
    { partSize: 5 * MIB, at: -1 },
    { partSize: 5 * MIB, at: 1e15 },
    { partSize: 5 * MIB, at: Number.NaN },
  ])('is not led astray by a record like %j', async (record) => {
    expect(await upload({ saved: { uploadId: crypto.randomUUID(), ...record } })).toBe('copied')
    expect(isThere()).toBe(true)
  })

  test('does not complete content with a wrong digest', async () => {
    const other = content.slice()
    other[content.length - 1] = (other.at(-1) ?? 0) ^ 1
    const error = await refusalOf(() => upload({ open: async (start) => pieces(other, start) }))
    expect(error).toMatchObject({
      kind: 'integrity',
      message: expect.stringContaining('its digest is sha256:'),
    })
    expect(double.log.count('CompleteLayerUpload')).toBe(0)
    expect(isThere()).toBe(false)
  })

  test.each([
    ['shorter', content.subarray(0, content.length - 5), 'ends after'],
    ['longer', Buffer.concat([content, new Uint8Array(5)]), 'longer than'],
  ])('does not complete content that is %s', async (_, wrong, why) => {
    const error = await refusalOf(() => upload({ open: async (start) => pieces(wrong, start) }))
    expect(error).toMatchObject({ kind: 'integrity', message: expect.stringContaining(why) })
    expect(double.log.count('CompleteLayerUpload')).toBe(0)
  })

  test('notices an upload that was begun with other bytes, and sends all of them again', async () => {
    const { uploadId } = await ecr.call('InitiateLayerUpload', (api) =>
      api.initiateLayerUpload({ repositoryName: repository }),
    )
    await ecr.call('UploadLayerPart', (api) =>
      api.uploadLayerPart({
        repositoryName: repository,
        uploadId,
        partFirstByte: 0,
        partLastByte: 6 * MIB - 1,
        layerPartBlob: new Uint8Array(6 * MIB),
      }),
    )
    const saved = { uploadId: uploadId ?? '', partSize: 5 * MIB, at: 6 * MIB }
    expect(await upload({ saved })).toBe('copied')
    expect(isThere()).toBe(true)
  })

  test('gives up on a registry that never has what it was sent', async () => {
    double.faults.add({
      on: { action: 'UploadLayerPart' },
      fault: {
        kind: 'status',
        status: 400,
        body: JSON.stringify({
          __type: 'InvalidLayerPartException',
          message: 'no',
          lastValidByteReceived: 4,
        }),
      },
      times: 100,
    })
    const error = await refusalOf(() => upload())
    expect(error.message).toContain('does not take the parts')
    expect(double.log.count('UploadLayerPart')).toBeLessThan(20)
  })

  test('says which repository is missing', async () => {
    const error = await refusalOf(() => upload({ repository: 'mirrored/none' }))
    expect(error).toMatchObject({ kind: 'failed', exception: 'RepositoryNotFoundException' })
    expect(error).toHaveProperty('where', expect.stringContaining('mirrored/none'))
  })
})
