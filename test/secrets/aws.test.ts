import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startKms, type KmsDouble, type KmsDoubleOptions } from '../support/kms.ts'
import { startExportSource, type ExportSource } from '../support/s3/export-source.ts'
import type { S3FaultKind } from '../support/s3/faults.ts'
import { startS3, type S3Double } from '../support/s3/server.ts'
import type { S3Key } from '../support/s3/signature.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { CANARIES, createCanaryPlace, expectClean, WAYS } from './canary.ts'

/** Temporary, so it has a token too. */
const KEY: S3Key = {
  accessKeyId: CANARIES.awsKeyId,
  secretAccessKey: CANARIES.awsSecret,
  sessionToken: CANARIES.awsSession,
}
/** What a store may say back of a request, in its own words. */
const ECHO = [
  `AWSAccessKeyId ${CANARIES.awsKeyId} may not; the token was ${CANARIES.awsSession}`,
  `x-amz-security-token:${CANARIES.awsSession}`,
  `https://bundles.s3.example/x?X-Amz-Credential=${CANARIES.awsKeyId}%2F20260101&X-Amz-Signature=${CANARIES.presigned}`,
  `and ${CANARIES.awsSecret}`,
].join(' ')
const OBJECT = 's3://bundles/a/bundle.tar'

const canary = createCanaryPlace(['own.tar'])
let small: SmallBundle
let from: ExportSource
let s3: S3Double
const kmsDoubles: KmsDouble[] = []
beforeAll(async () => {
  ;[small, from] = await Promise.all([makeSmallBundle(), startExportSource(canary.place(), [12, 6])])
})
afterEach(async () => {
  await Promise.all(kmsDoubles.splice(0).map((one) => one.stop()))
})
afterAll(async () => {
  await Promise.all([small.remove(), from.source.stop()])
  canary.remove()
})

describe('S3: no canary comes out of', () => {
  const start = async (keys = [KEY]): Promise<void> => {
    s3 = await startS3({ keys })
    s3.put('bundles', 'a/bundle.tar', small.bytes)
  }
  afterEach(async () => {
    await s3.stop()
    expect(s3.errors).toEqual([])
  })
  const expectBucketClean = async (): Promise<void> => {
    for (const key of s3.bucket('bundles').objects.keys())
      expectClean(`the object ${key}`, Buffer.from(await s3.read('bundles', key)).toString('latin1'))
  }
  /** The ways run at the same time, so each writes an object of its own. */
  let written = 0
  const exporting = (spec: string) => () => {
    written += 1
    const args = ['export', `s3://bundles/out/${written}.tar`, '--spec', spec]
    return { args, env: s3.environment }
  }

  it('an export that goes well, in what it says and in the bucket', async () => {
    await start()
    await canary.everyWay('export', exporting(small.spec), 0)
    await expectBucketClean()
  })

  it('an export that breaks off, in the record that it leaves', async () => {
    await start()
    s3.faults.add({
      action: 'UploadPart',
      skip: 2,
      times: 1000,
      fault: { kind: 'answer', status: 403, code: 'AccessDenied', message: ECHO },
    })
    await canary.everyWay('broken off', exporting(from.spec), 3)
    const records = [...s3.bucket('bundles').objects.keys()].filter((key) => key.endsWith('.partial'))
    expect(records).not.toEqual([])
    await expectBucketClean()
  })

  it.each<[string, S3FaultKind, number | readonly number[]]>([
    ['a policy that says back the request', answering(403, 'AccessDenied'), 3],
    ['a key that is not known', answering(403, 'InvalidAccessKeyId'), 3],
    ['a signature that does not match', answering(403, 'SignatureDoesNotMatch'), 3],
    ['a session that is over', answering(400, 'ExpiredToken'), 3],
    ['a request that is no good', answering(400, 'InvalidArgument'), [1, 2]],
    ['a key of KMS that is refused', answering(400, 'KMS.DisabledException'), 3],
    ['a bucket elsewhere', answering(301, 'PermanentRedirect'), 2],
    ['a code that nobody knows', answering(418, 'Teapot'), 1],
  ])('%s', async (what, fault, code) => {
    await start()
    s3.faults.add({ fault, times: 10_000 })
    for (const command of ['inspect', 'verify', 'report'])
      await canary.everyWay(
        `${command} ${what}`,
        () => ({ args: [command, OBJECT], env: s3.environment }),
        code,
      )
    await canary.everyWay(`export ${what}`, exporting(small.spec), code)
  })

  it('a store whose key is the name of a user', async () => {
    await start([{ ...KEY, accessKeyId: CANARIES.storeUser }])
    await canary.everyWay('store', () => ({ args: ['inspect', OBJECT], env: s3.environment }), 0)
    const message = `${CANARIES.storeUser} may not; ${ECHO}`
    s3.faults.add({ fault: { kind: 'answer', status: 403, code: 'AccessDenied', message }, times: 10_000 })
    await canary.everyWay('store', () => ({ args: ['inspect', OBJECT], env: s3.environment }), 3)
  })

  it('credentials of a file', async () => {
    await start()
    const lines = [
      `aws_access_key_id = ${KEY.accessKeyId}`,
      `aws_secret_access_key = ${KEY.secretAccessKey}`,
      `aws_session_token = ${KEY.sessionToken}`,
    ]
    const at = canary.place()
    writeFileSync(join(at, 'credentials'), `[default]\n${lines.join('\n')}\n`)
    s3.faults.add({ fault: answering(403, 'AccessDenied'), times: 10_000 })
    const before = process.env['AWS_SHARED_CREDENTIALS_FILE']
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(at, 'credentials')
    try {
      const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' }
      const run = () => ({ args: ['inspect', OBJECT], env: { ...s3.environment, ...none } })
      await canary.everyWay('file', run, 3)
    } finally {
      if (before === undefined) delete process.env['AWS_SHARED_CREDENTIALS_FILE']
      else process.env['AWS_SHARED_CREDENTIALS_FILE'] = before
    }
  })

  it('an import out of it, and a bundle there that is cut off', async () => {
    await start()
    s3.put('bundles', 'a/bundle.tar', small.bytes.subarray(0, small.bytes.length - 5000))
    const args = ['import', OBJECT, '--registry', '127.0.0.1:1']
    await canary.everyWay('cut', () => ({ args, env: s3.environment }), [4, 5])
  })
})

describe('AWS KMS: no canary comes out of', () => {
  const kms = async (options: KmsDoubleOptions = {}): Promise<KmsDouble> => {
    const double = await startKms({ accessKeys: [{ ...KEY, accessKeyId: CANARIES.awsKeyId }], ...options })
    kmsDoubles.push(double)
    return double
  }
  const signing =
    ({ environment }: KmsDouble, key = 'awskms:///alias/bundles') =>
    (at: string) => {
      copyFileSync(small.file, join(at, 'own.tar'))
      return {
        args: ['sign', join(at, 'own.tar'), '--key', key],
        env: environment,
      }
    }

  it('a signature that goes well', async () => {
    const double = await kms()
    await canary.everyWay('sign', signing(double), 0)
    expect(double.calls.filter((call) => /^Sign (?!.*dry)/.test(call))).toHaveLength(WAYS.length)
  })

  it.each<[string, number, number]>([
    ['AccessDeniedException', 400, 3],
    ['UnrecognizedClientException', 400, 3],
    ['InvalidSignatureException', 400, 3],
    ['ExpiredTokenException', 400, 3],
    ['NotFoundException', 400, 2],
    ['DisabledException', 400, 1],
    ['SomethingNewException', 400, 1],
    ['KMSInternalException', 500, 4],
  ])('a %s that says back the request', async (type, status, code) => {
    const body = JSON.stringify({ __type: type, message: ECHO })
    const double = await kms({ intercept: () => ({ status, body }) })
    await canary.everyWay(type, signing(double), code)
  })

  it('a key with a password in its address, and a host without TLS', async () => {
    const double = await kms()
    const { user, password } = CANARIES
    await canary.everyWay('address', signing(double, `awskms://${user}:${password}@kms.example/alias/x`), 2)
    const host = new URL(double.endpoint).host
    await canary.everyWay('plain', signing(double, `awskms://${host}/alias/bundles`), 4)
  })
})

// --- internal ---

function answering(status: number, code: string): S3FaultKind {
  return { kind: 'answer', status, code, message: ECHO }
}
