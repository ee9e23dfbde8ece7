import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { ask, bytes, present, pushBlob, told } from './client.ts'

let ecr: Ecr
let digest: Digest
const content = bytes(3_000_000)

beforeAll(async () => {
  ecr = await startEcr({ tls: false, downloadSeconds: 100 })
  ecr.createRepository('down')
  digest = await pushBlob(ecr, 'down', content)
})
afterAll(() => ecr.stop())

const redirect = async () => present((await ask(ecr, `/v2/down/blobs/${digest}`)).headers.get('location'))

describe('a blob GET', () => {
  test('is redirected to another origin, with a presigned query', async () => {
    const response = await ask(ecr, `/v2/down/blobs/${digest}`)
    expect(response.status).toBe(307)
    const url = new URL(present(response.headers.get('location')))
    expect(url.host).not.toBe(ecr.registry)
    expect(url.origin).toBe(ecr.downloadOrigin)
    expect([...url.searchParams.keys()]).toEqual([
      'X-Amz-Algorithm',
      'X-Amz-Date',
      'X-Amz-SignedHeaders',
      'X-Amz-Expires',
      'X-Amz-Credential',
      'X-Amz-Signature',
    ])
    expect(digestOf(await (await fetch(url)).bytes())).toBe(digest)
  })

  test('there breaks when Authorization is carried along', async () => {
    const response = await fetch(await redirect(), { headers: { authorization: `Basic ${ecr.token()}` } })
    expect(response.status).toBe(400)
    expect(await response.text()).toMatch(
      /<Code>InvalidArgument<\/Code><Message>Only one auth mechanism allowed/,
    )
  })

  test('there serves ranges', async () => {
    const url = await redirect()
    const get = (range: string) => fetch(url, { headers: { range } })
    const middle = await get('bytes=1000-1999')
    expect([middle.status, middle.headers.get('content-range')]).toEqual([206, 'bytes 1000-1999/3000000'])
    expect(digestOf(await middle.bytes())).toBe(digestOf(content.subarray(1000, 2000)))
    expect(digestOf(await (await get('bytes=2999990-')).bytes())).toBe(digestOf(content.subarray(2_999_990)))
    expect(digestOf(await (await get('bytes=-5')).bytes())).toBe(digestOf(content.subarray(-5)))
    expect((await get('bytes=3000000-')).status).toBe(416)
  })

  test('there is good for its time, for GET, and as signed', async () => {
    const url = await redirect()
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(403)
    expect(await (await fetch(url.replace('X-Amz-Expires=100', 'X-Amz-Expires=9999'))).text()).toContain(
      'SignatureDoesNotMatch',
    )
    ecr.advance(101)
    expect(await (await fetch(url)).text()).toContain('Request has expired')
    expect((await fetch(await redirect())).status).toBe(200)
  })

  test('is asked for with HEAD without any redirect', async () => {
    const head = await ask(ecr, `/v2/down/blobs/${digest}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), head.headers.get('location')]).toEqual([
      200,
      '3000000',
      null,
    ])
    expect((await ask(ecr, `/v2/down/blobs/${digestOf('none')}`, { method: 'HEAD' })).status).toBe(404)
  })

  test('of another repository is unknown', async () => {
    ecr.createRepository('beside')
    expect(await told(await ask(ecr, `/v2/beside/blobs/${digest}`))).toMatch(/^404 BLOB_UNKNOWN /)
  })

  test('may point at a name that a proxy maps', async () => {
    const origin = 'https://prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com'
    const named = await startEcr({ tls: false, downloadOrigin: origin })
    named.createRepository('down')
    await pushBlob(named, 'down', content)
    const location = (await ask(named, `/v2/down/blobs/${digest}`)).headers.get('location')
    expect(location?.startsWith(`${origin}/`)).toBe(true)
    await named.stop()
  })

  test('that its client abandons does no harm', async () => {
    const controller = new AbortController()
    const response = await fetch(await redirect(), { signal: controller.signal })
    await present(response.body).getReader().read()
    controller.abort()
    while (ecr.log.entries.some(({ doneAt }) => doneAt === undefined)) await Bun.sleep(5)
    expect(ecr.log.errors).toEqual([])
  })
})
