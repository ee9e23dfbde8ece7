import { awsConfig } from '../../src/aws/config/config.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AwsEvent } from '../../src/aws/events.ts'
import { createS3 } from '../../src/aws/s3/client.ts'
import { headObject } from '../../src/aws/s3/multipart.ts'
import { parseS3 } from '../../src/aws/s3/location.ts'
import { openS3Object } from '../../src/aws/s3/reader.ts'
import { collect, type RandomReader } from '../../src/lib/bytes/bytes.ts'
import { createHttp } from '../../src/lib/http/client.ts'
import { noise } from '../support/images.ts'
import { startS3, type S3Double, type S3Options } from '../support/s3/server.ts'

const MIB = 2 ** 20
const content = noise(12 * MIB, 7)

let s3: S3Double | undefined
let events: AwsEvent[]
beforeEach(() => {
  events = []
})
afterEach(async () => {
  const errors = s3?.errors
  await s3?.stop()
  s3 = undefined
  expect(errors ?? []).toEqual([])
})

async function start(options: S3Options = {}): Promise<S3Double> {
  s3 = await startS3(options)
  s3.put('bundles', 'a/b.tar', content)
  return s3
}

function open(
  double: S3Double,
  env: Record<string, string | undefined> = {},
  name = 's3://bundles/a/b.tar',
): Promise<RandomReader> {
  const location = parseS3(name)
  const all = { ...double.environment, ...env }
  const http = createHttp({ env: all, stallSeconds: 1 })
  const client = createS3(location, {
    aws: () => Promise.resolve(awsConfig(all)),
    http: () => http,
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
    policy: { baseMs: 1, maxMs: 5 },
  })
  return openS3Object(location, client)
}

const same = (bytes: Uint8Array, start: number, end: number): boolean =>
  Buffer.compare(bytes, content.subarray(start, end)) === 0

describe('an object of S3 as a random reader', () => {
  test('one request opens it and answers for its beginning', async () => {
    const double = await start()
    const file = await open(double)
    expect(file.size).toBe(content.length)
    expect(same(await collect(file.read(0, 512)), 0, 512)).toBe(true)
    expect(same(await collect(file.read(4 * MIB, 3 * MIB)), 4 * MIB, 7 * MIB)).toBe(true)
    expect(double.log.map(({ action, range }) => `${action} ${range}`)).toEqual([
      `GetObject bytes=0-${8 * MIB - 1}`,
    ])
  })

  test('a stretch beyond costs one request, which brings the padding and the next header along', async () => {
    const double = await start()
    const file = await open(double)
    const end = 9 * MIB + 100
    expect(same(await collect(file.read(8.5 * MIB, end - 8.5 * MIB)), 8.5 * MIB, end)).toBe(true)
    expect(same(await collect(file.read(end, 412)), end, end + 412)).toBe(true)
    expect(same(await collect(file.read(end + 412, 512)), end + 412, end + 924)).toBe(true)
    expect(double.count('GetObject')).toBe(2)
    expect(double.log[1]?.range).toBe(`bytes=${8.5 * MIB}-${end + 412 + 1024 - 1}`)
  })

  test('a long stretch comes over several connections of which each is slow, and in order', async () => {
    const double = await start({ paceMs: 2 })
    const large = noise(104 * MIB, 7)
    double.put('bundles', 'a/large.tar', large)
    const file = await open(double, {}, 's3://bundles/a/large.tar')
    let at = 10 * MIB
    let isRight = true
    for await (const piece of file.read(at, 88 * MIB)) {
      isRight &&= Buffer.compare(piece, large.subarray(at, at + piece.length)) === 0
      at += piece.length
    }
    expect([isRight, at]).toEqual([true, 98 * MIB])
    expect(double.atOnce('GetObject')).toBeGreaterThanOrEqual(4)
    expect(double.atOnce('GetObject')).toBeLessThanOrEqual(9)
  })

  test('what begins in memory goes on from the store', async () => {
    const file = await open(await start())
    expect(same(await collect(file.read(7 * MIB, 3 * MIB)), 7 * MIB, 10 * MIB)).toBe(true)
  })

  test('the last bytes, and not one more', async () => {
    const file = await open(await start())
    expect(same(await collect(file.read(content.length - 10, 10)), content.length - 10, content.length)).toBe(
      true,
    )
    await expect(collect(file.read(content.length - 10, 11))).rejects.toMatchObject({ kind: 'integrity' })
  })

  test('a small object comes whole', async () => {
    const double = await start()
    double.put('bundles', 'small', content.subarray(0, 1000))
    const file = await open(double, {}, 's3://bundles/small')
    expect(same(await collect(file.read(0, 1000)), 0, 1000)).toBe(true)
    expect(double.count('GetObject')).toBe(1)
  })

  test('an empty object is no bundle', async () => {
    const double = await start()
    double.put('bundles', 'empty', new Uint8Array())
    await expect(open(double, {}, 's3://bundles/empty')).rejects.toMatchObject({
      kind: 'integrity',
      message: 'the object is empty',
    })
  })

  test('a stream that breaks goes on where it stopped', async () => {
    const double = await start()
    const file = await open(double)
    double.faults.add({ action: 'GetObject', fault: { kind: 'reset', afterBytes: MIB }, times: 2 })
    expect(same(await collect(file.read(8 * MIB, 4 * MIB)), 8 * MIB, 12 * MIB)).toBe(true)
    const ranges = double.log.slice(1).map(({ range }) => Number(/=(\d+)-/.exec(range)?.[1]))
    expect(ranges).toHaveLength(3)
    expect(ranges[1]).toBeGreaterThan(8 * MIB)
    expect(ranges[2]).toBeGreaterThan(ranges[1] ?? Infinity)
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(2)
  })

  test('a stream that stalls is given up and continued', async () => {
    const double = await start()
    const file = await open(double)
    double.faults.add({ action: 'GetObject', fault: { kind: 'stall', afterBytes: 128 * 1024 } })
    expect(same(await collect(file.read(9 * MIB, MIB)), 9 * MIB, 10 * MIB)).toBe(true)
  })

  test('an object that is replaced meanwhile is noticed', async () => {
    const double = await start()
    const file = await open(double)
    double.put('bundles', 'a/b.tar', noise(12 * MIB, 8))
    await expect(collect(file.read(9 * MIB, 100))).rejects.toMatchObject({
      kind: 'integrity',
      message: 'the object was replaced while it was read',
      where: 's3://bundles/a/b.tar',
    })
  })

  test('of a versioned object no version is named, as that takes another permission', async () => {
    const double = await start({ versioned: true })
    double.put('bundles', 'a/b.tar', content, { version: 'v1' })
    const file = await open(double)
    await collect(file.read(9 * MIB, 100))
    expect(double.log[1]?.query).not.toContain('versionId')
  })

  test('offsets beyond 4 GiB and up to 5 TiB', async () => {
    const double = await start()
    const size = 5 * 2 ** 40
    const far = {
      size,
      async *read(from: number, to: number) {
        // Each 8 bytes say where they lie.
        const bytes = Buffer.alloc(to - from)
        for (let at = 0; at < bytes.length; at += 1) {
          const position = from + at
          bytes[at] = Math.floor(Math.floor(position / 8) / 256 ** (position % 8)) % 256
        }
        yield bytes
      },
    }
    double.put('bundles', 'a/b.tar', far)
    const file = await open(double)
    expect(file.size).toBe(size)
    for (const start of [2 ** 31, 2 ** 32 - 8, 5 * 2 ** 30, size - 800]) {
      const bytes = Buffer.from(await collect(file.read(start, 800)))
      expect(Number(bytes.readBigUInt64LE(0))).toBe(start / 8)
      expect(Number(bytes.readBigUInt64LE(792))).toBe(start / 8 + 99)
    }
    await expect(collect(file.read(size - 10, 20))).rejects.toMatchObject({ kind: 'integrity' })
  })

  test('SlowDown and failures of S3 are borne, told of, and end some time', async () => {
    const double = await start()
    double.faults.add({ fault: { kind: 'answer', status: 503, code: 'SlowDown' }, times: 8 })
    const file = await open(double)
    expect(file.size).toBe(content.length)
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(8)
    double.faults.add({ fault: { kind: 'answer', status: 500, code: 'InternalError' }, times: 100 })
    await expect(collect(file.read(9 * MIB, 100))).rejects.toMatchObject({ kind: 'network' })
    expect(double.count('GetObject')).toBe(9 + 6)
  })

  test('a bucket in another region is followed there, also by what comes later', async () => {
    const double = await start({ buckets: { bundles: 'ap-south-1' } })
    const file = await open(double, { AWS_REGION: 'eu-central-1' })
    await collect(file.read(9 * MIB, 100))
    expect(double.log.map(({ status }) => status)).toEqual([400, 206, 206])
  })

  test('a store that names the region in the body only is followed, too, also where there is none', async () => {
    const double = await start({ buckets: { bundles: 'ap-south-1' }, namesRegion: 'body' })
    await open(double, { AWS_REGION: 'eu-central-1' })
    expect(double.log.map(({ status }) => status)).toEqual([400, 206])
    const location = parseS3('s3://bundles/a/b.tar')
    const aws = awsConfig({ ...double.environment, AWS_REGION: 'eu-central-1' })
    const client = createS3(location, {
      aws: () => Promise.resolve(aws),
      http: () => createHttp({ env: aws.env }),
      emit: () => undefined,
      signal: new AbortController().signal,
    })
    // The answer to a HEAD has no body.
    expect(await headObject(client, location)).toMatchObject({ size: content.length })
    expect(await headObject(client, { ...location, key: 'absent' })).toBeUndefined()
  })

  test('session tokens are signed', async () => {
    const key = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'x', sessionToken: 'a/b+c==' }
    expect((await open(await start({ keys: [key] }))).size).toBe(content.length)
  })

  test('a key with every kind of character', async () => {
    const double = await start()
    const key = `ä ö/a+b (1)!*'~_-.,;=@:&$%41#?/x.tar`
    double.put('bundles', key, content.subarray(0, 2000))
    expect((await open(double, {}, `s3://bundles/${key}`)).size).toBe(2000)
  })

  test('a clock that is off is put right by what S3 says', async () => {
    expect((await open(await start({ clockSkewSeconds: 3600 }))).size).toBe(content.length)
  })
})

describe('what S3 refuses, in words', () => {
  const refusals: readonly (readonly [
    name: string,
    options: S3Options,
    object: string,
    kind: string,
    message: RegExp,
    next: RegExp,
  ])[] = [
    ['no such bucket', {}, 's3://nowhere/x', 'usage', /^there is no bucket "nowhere"$/, /account/],
    ['no such key', {}, 's3://bundles/x', 'usage', /^no such object/, /aws s3 ls s3:\/\/bundles\//],
    [
      'denied',
      { denied: ['s3:GetObject'] },
      's3://bundles/a/b.tar',
      'auth',
      /^s3:GetObject is not allowed: User: arn/,
      /arn:aws:s3:::bundles\/a\/b\.tar .*without s3:ListBucket/,
    ],
    [
      'expired',
      { keys: [{ accessKeyId: 'A', secretAccessKey: 'b', expired: true }] },
      's3://bundles/a/b.tar',
      'auth',
      /have expired/,
      /fresh credentials/,
    ],
  ]
  test.each(refusals)('%s', async (_, options, object, kind, message, next) => {
    const double = await start(options)
    await expect(open(double, {}, object)).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message) as string,
      next: expect.stringMatching(next) as string,
      where: object,
    })
    expect(double.log).toHaveLength(1)
  })

  test('unknown key, wrong secret', async () => {
    const double = await start()
    await expect(open(double, { AWS_ACCESS_KEY_ID: 'AKIAUNKNOWN' })).rejects.toMatchObject({
      kind: 'auth',
      message: expect.stringMatching(/does not know these credentials/) as string,
    })
    await expect(open(double, { AWS_SECRET_ACCESS_KEY: 'wrong' })).rejects.toMatchObject({
      kind: 'auth',
      message: expect.stringMatching(/refuses the signature/) as string,
    })
  })

  test('an archived object', async () => {
    const double = await start()
    double.put('bundles', 'a/b.tar', content, { archived: true })
    await expect(open(double)).rejects.toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/archived \(Glacier\)/) as string,
    })
  })

  test('a KMS key that is not allowed', async () => {
    const double = await start()
    double.faults.add({
      fault: {
        kind: 'answer',
        status: 403,
        code: 'AccessDenied',
        message:
          'User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext',
      },
    })
    await expect(open(double)).rejects.toMatchObject({
      kind: 'auth',
      next: expect.stringMatching(/^allow kms:Decrypt on the KMS key/) as string,
    })
  })

  test('nobody listens there', async () => {
    const double = await start()
    await double.stop()
    await expect(open(double)).rejects.toMatchObject({
      kind: 'network',
      where: 's3://bundles/a/b.tar',
      message: expect.stringMatching(/connection was refused/) as string,
    })
  })
})
