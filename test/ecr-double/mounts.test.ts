import { PutAccountSettingCommand } from '@aws-sdk/client-ecr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { ask, blobsOf, pushBlob, bytes, pushImage, putManifest, sdk } from './client.ts'

let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false, blobMounting: true, quotas: 'none' })
  for (const name of ['from', 'into']) ecr.createRepository(name)
  ecr.createRepository('encrypted', { encryptionConfiguration: { encryptionType: 'KMS', kmsKey: 'k' } })
  ecr.createRepository('encrypted-too', { encryptionConfiguration: { encryptionType: 'KMS', kmsKey: 'k' } })
})
afterAll(() => ecr.stop())

const mount = (digest: string, from: string | undefined, into: string, at = ecr) =>
  ask(at, `/v2/${into}/blobs/uploads/?mount=${digest}${from === undefined ? '' : `&from=${from}`}`, {
    method: 'POST',
  })

describe('a mount', () => {
  test('succeeds for a blob that a manifest of the source names', async () => {
    const { raw, layer, manifest } = await blobsOf(ecr, 'from')
    expect((await mount(layer, 'from', 'into')).status).toBe(202)
    await putManifest(ecr, 'from', '1', raw)
    const mounted = await mount(layer, 'from', 'into')
    expect(mounted.status).toBe(201)
    expect(mounted.headers.get('docker-content-digest')).toBe(layer)
    expect((await ask(ecr, `/v2/into/blobs/${layer}`, { method: 'HEAD' })).status).toBe(200)
    expect((await mount((manifest['config'] as { digest: string }).digest, 'from', 'into')).status).toBe(201)
    expect((await putManifest(ecr, 'into', '1', raw)).status).toBe(201)
  })

  test('becomes an upload in every other case', async () => {
    const { layer } = await pushImage(ecr, 'from', '2')
    const loose = await pushBlob(ecr, 'from', bytes(9))
    const cases = {
      'nobody names the blob': await mount(loose, 'from', 'into'),
      'no source': await mount(layer, undefined, 'into'),
      'an unknown source': await mount(layer, 'nowhere', 'into'),
      'another encryption': await mount(layer, 'from', 'encrypted'),
    }
    for (const [name, { status, headers }] of Object.entries(cases)) {
      expect(status, name).toBe(202)
      expect(headers.get('location'), name).toContain('/blobs/uploads/')
    }
    expect((await mount(layer, 'from', 'none')).status).toBe(404)
  })

  test('works between repositories of one key, and of one key only', async () => {
    const { layer } = await pushImage(ecr, 'encrypted', '1')
    ecr.createRepository('other-key', { encryptionConfiguration: { encryptionType: 'KMS', kmsKey: 'else' } })
    expect((await mount(layer, 'encrypted', 'other-key')).status).toBe(202)
    expect((await mount(layer, 'encrypted', 'encrypted-too')).status).toBe(201)
  })

  test('is off until the account turns it on', async () => {
    const off = await startEcr({ tls: false })
    for (const name of ['from', 'into']) off.createRepository(name)
    const { layer } = await pushImage(off, 'from', '1')
    expect((await mount(layer, 'from', 'into', off)).status).toBe(202)
    await sdk(off).send(new PutAccountSettingCommand({ name: 'BLOB_MOUNTING', value: 'ENABLED' }))
    expect((await mount(layer, 'from', 'into', off)).status).toBe(201)
    await off.stop()
  })

  test('needs the right to read the source', async () => {
    const shy = await startEcr({ tls: false, blobMounting: true, denied: ['GetDownloadUrlForLayer'] })
    for (const name of ['from', 'into']) shy.createRepository(name)
    const { layer } = await pushImage(shy, 'from', '1')
    expect((await mount(layer, 'from', 'into', shy)).status).toBe(202)
    await shy.stop()
  })
})
