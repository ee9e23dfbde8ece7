import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startExportSource, type ExportSource } from '../support/s3/export-source.ts'
import { startS3, type S3Double, type S3Options } from '../support/s3/server.ts'
import { runShell, type Outcome } from '../support/shell.ts'

const MIB = 2 ** 20
const KEY = 'exports/bundle.tar'
const OBJECT = `s3://bundles/${KEY}`

let folder: string
let from: ExportSource
let bytes: Uint8Array
let s3: S3Double
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 's3-export-'))
  from = await startExportSource(folder)
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
  execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
  const exported = await runShell(['export', at('bundle.tar'), '--spec', from.spec, '--quiet'])
  expect(exported).toMatchObject({ code: 0, stderr: '' })
  bytes = new Uint8Array(readFileSync(at('bundle.tar')))
}, 60_000)
afterAll(async () => {
  await from.source.stop()
  rmSync(folder, { recursive: true })
})
afterEach(async () => {
  await s3.stop()
  expect(s3.errors).toEqual([])
})

const start = async (options: S3Options = {}): Promise<S3Double> => (s3 = await startS3(options))

const run = (...more: readonly string[]): Promise<Outcome> =>
  runShell(['export', OBJECT, '--spec', from.spec, ...more], {
    env: { ...s3.environment, XDG_STATE_HOME: folder },
  })

async function expectWhole(): Promise<void> {
  expect(Buffer.compare(await s3.read('bundles', KEY), bytes)).toBe(0)
  expect([...s3.bucket('bundles').objects.keys()].toSorted()).toEqual([KEY, `${KEY}.lock.json`])
  expect(s3.bucket('bundles').uploads.size).toBe(0)
}

/** Layers that were asked for, since a point in the log of the source. */
const layersSince = (before: number): readonly string[] =>
  from.source.requests.slice(before).filter((line) => /^GET .*\/blobs\//.test(line))

describe('export into S3', { timeout: 60_000 }, () => {
  test('the object is the file that an export would be, byte for byte', async () => {
    await start({ latencyMs: 5 })
    const { code, stdout, stderr } = await run()
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(stdout).toContain(`Wrote ${OBJECT}`)
    expect(stdout).toContain(`ma-bundle import ${OBJECT}`)
    await expectWhole()
    expect(s3.atOnce('UploadPart')).toBeGreaterThan(1)
    const sent = s3.log.filter(({ action }) => action === 'UploadPart')
    expect(sent.reduce((sum, { requestBytes }) => sum + requestBytes, 0)).toBe(bytes.length)
    expect(new Set(sent.map(({ query }) => query)).size).toBe(sent.length)
  })

  test('lock and signature lie beside it, and import takes it from there', async () => {
    await start()
    expect(await run('--sign', at('key.pem'), '--quiet')).toMatchObject({ code: 0, stderr: '' })
    // What was planned is signed: nothing is read back for it.
    expect(s3.log.filter(({ action, key }) => action === 'GetObject' && key === KEY)).toEqual([])
    const checked = await runShell(['verify', OBJECT, '--verify-key', at('pub.pem')], { env: s3.environment })
    expect(checked).toMatchObject({ code: 0 })
    expect(JSON.parse(Buffer.from(await s3.read('bundles', `${KEY}.lock.json`)).toString())).toHaveProperty(
      'images',
    )
  })

  test('encryption and storage class go along, the class with the bundle only', async () => {
    await start({ requireKms: true })
    expect(await run('--quiet')).toMatchObject({ code: 3 })
    const settings = ['--sse-kms-key', 'alias/bundles', '--storage-class', 'STANDARD_IA']
    expect(await run('--quiet', '--sign', at('key.pem'), ...settings)).toMatchObject({ code: 0 })
    const kept = (key: string) => s3.bucket('bundles').objects.get(key)?.settings
    const kms = {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/bundles',
    }
    expect(kept(KEY)).toMatchObject({ ...kms, 'x-amz-storage-class': 'STANDARD_IA' })
    for (const beside of [`${KEY}.lock.json`, `${KEY}.sig`]) {
      expect(kept(beside)).toMatchObject(kms)
      expect(kept(beside)).not.toHaveProperty('x-amz-storage-class')
    }
  })

  test('flags that make no sense', async () => {
    await start()
    expect(await run('--sse', 'AES256', '--sse-kms-key', 'k')).toMatchObject({ code: 2 })
    expect(await run('--split', '1GiB')).toMatchObject({ code: 2 })
    expect(await runShell(['export', at('x.tar'), '--spec', from.spec, '--sse', 'AES256'])).toMatchObject({
      code: 2,
    })
    expect(await runShell(['export', at('x.tar'), '--spec', from.spec, '--abort'])).toMatchObject({ code: 2 })
    expect(s3.log).toEqual([])
  })

  test('faults of every kind are borne', async () => {
    await start({ buckets: { bundles: 'us-west-2' } })
    s3.faults.add(
      { action: 'UploadPart', fault: { kind: 'answer', status: 503, code: 'SlowDown' }, every: 2, times: 3 },
      { action: 'UploadPart', fault: { kind: 'reset', afterBytes: MIB }, every: 4, times: 2 },
      { action: 'UploadPart', fault: { kind: 'lose-answer' }, skip: 1 },
      // S3 finds the flipped bit, and the part is sent again.
      { action: 'UploadPart', fault: { kind: 'corrupt', atByte: 100_000 }, skip: 3 },
      { action: 'CreateMultipartUpload', fault: { kind: 'answer', status: 500, code: 'InternalError' } },
      { action: 'CompleteMultipartUpload', fault: { kind: 'lose-answer' } },
      { action: 'HeadObject', fault: { kind: 'answer', status: 503, code: 'ServiceUnavailable' } },
    )
    expect(await run('--quiet')).toMatchObject({ code: 0 })
    await expectWhole()
  })

  test('a store of old that knows no checksums', async () => {
    await start({ checksums: false })
    expect(await run('--quiet')).toMatchObject({ code: 0 })
    await expectWhole()
  })

  test('an object that is there is replaced, when the new one is whole', async () => {
    await start()
    s3.put('bundles', KEY, new Uint8Array(10))
    expect(await run('--quiet')).toMatchObject({ code: 0 })
    await expectWhole()
  })

  test('who may not write is told which permission lacks, before anything is fetched', async () => {
    await start({ denied: ['s3:CreateMultipartUpload'] })
    const before = from.source.requests.length
    const { code, stderr } = await run()
    expect(code).toBe(3)
    expect(stderr).toContain(`allow s3:PutObject on arn:aws:s3:::bundles/${KEY}`)
    // Their configs tell the platforms.
    expect(layersSince(before).length).toBe(2)
  })

  test("somebody else's object in the place of the record is left alone", async () => {
    await start()
    s3.put('bundles', `${KEY}.partial`, new TextEncoder().encode('mine'))
    expect(await run()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('this object is in the way') as string,
    })
    expect(Buffer.from(await s3.read('bundles', `${KEY}.partial`)).toString()).toBe('mine')
  })
})

describe('an export into S3 that was cut off', { timeout: 60_000 }, () => {
  /** Breaks for good at the nth part. */
  const breakAt = (part: number): void =>
    s3.faults.add({
      action: 'UploadPart',
      fault: { kind: 'answer', status: 403, code: 'AccessDenied' },
      skip: part,
      times: 1000,
    })

  test('goes on with what is there', async () => {
    await start({ pageSize: 1 })
    breakAt(3)
    expect(await run('--quiet')).toMatchObject({ code: 3 })
    const { uploads, objects } = s3.bucket('bundles')
    expect(uploads.size).toBe(1)
    expect([...objects.keys()]).toEqual([`${KEY}.partial`])
    s3.faults.clear()
    s3.log.length = 0
    const before = from.source.requests.length
    const { code, json } = await run('--json')
    expect(code).toBe(0)
    const result = json.at(-1)?.['result'] as { fetched: number; kept: number; size: number }
    expect(result.kept).toBeGreaterThanOrEqual(10 * MIB)
    expect(result.fetched).toBeLessThan(bytes.length - result.kept)
    expect(layersSince(before).length).toBeLessThan(2 + 4)
    expect(s3.count('CreateMultipartUpload')).toBe(0)
    expect(s3.count('ListParts')).toBeGreaterThan(1)
    await expectWhole()
  })

  test('another plan gives the old upload up, and only that', async () => {
    await start()
    breakAt(3)
    expect(await run('--quiet')).toMatchObject({ code: 3 })
    s3.faults.clear()
    const foreign = {
      id: 'theirs',
      key: KEY,
      parts: new Map(),
      settings: {},
      initiated: new Date(0).toISOString(),
    }
    s3.bucket('bundles').uploads.set('theirs', foreign)
    const before = s3.log.length
    expect(await run('--quiet', '--platform', 'linux/amd64', '--no-prove')).toMatchObject({ code: 0 })
    const again = s3.log.slice(before).map(({ action }) => action)
    expect([...s3.bucket('bundles').uploads.keys()]).toEqual(['theirs'])
    expect(again.filter((action) => action === 'AbortMultipartUpload').length).toBeLessThanOrEqual(1)
  })

  test('--abort deletes what it left', async () => {
    await start()
    breakAt(3)
    expect(await run('--quiet')).toMatchObject({ code: 3 })
    expect(await run('--abort')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Deleted the parts') as string,
    })
    expect(s3.bucket('bundles').uploads.size).toBe(0)
    expect(s3.bucket('bundles').objects.size).toBe(0)
    expect(await run('--abort')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is unfinished') as string,
    })
  })

  test('an upload that a lifecycle rule deleted is begun anew', async () => {
    await start()
    breakAt(3)
    expect(await run('--quiet')).toMatchObject({ code: 3 })
    s3.faults.clear()
    s3.bucket('bundles').uploads.clear()
    expect(await run('--quiet')).toMatchObject({ code: 0 })
    await expectWhole()
  })

  test('between the last request and the removal of the record: nothing is fetched again', async () => {
    await start()
    s3.faults.add({ action: 'DeleteObject', fault: { kind: 'answer', status: 403, code: 'AccessDenied' } })
    expect(await run('--quiet')).toMatchObject({ code: 3 })
    const { code, json } = await run('--json')
    expect(code).toBe(0)
    expect(json.at(-1)?.['result']).toMatchObject({ fetched: 0, kept: bytes.length })
    await expectWhole()
  })
})
