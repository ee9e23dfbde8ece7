import { afterEach, describe, expect, test } from 'vitest'
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { OCI_LAYER_GZIP } from '../support/images.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'
import { failureOf, harness } from '../support/registry/harness.ts'

const running: RegistryDouble[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

async function setUp(change: fault.Fault['change'], on = /^HEAD/) {
  const double = await startDouble({ faults: [{ on, change }] })
  running.push(double)
  const config = double.addBlob('team/app', Buffer.from('{}'), OCI_CONFIG)
  const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] }
  const { descriptor } = double.addManifest('team/app', image, 'v1')
  const repository = openRepository(harness().client, double.host, 'team/app')
  return { double, config, descriptor, repository }
}

const ABSENT = { mediaType: OCI_LAYER_GZIP, digest: `sha256:${'0'.repeat(64)}`, size: 5 } as const

describe.each([400, 403, 405, 406, 415, 501])('a host that answers %i to HEAD', (status) => {
  test('is asked by GET, whose answer counts: there, and not there', async () => {
    const { double, config, descriptor, repository } = await setUp(fault.status(status))
    expect(await repository.head('v1')).toEqual(descriptor)
    expect(await repository.head('v2')).toBeUndefined()
    expect(await repository.exists(config)).toBe(true)
    expect(await repository.exists(ABSENT)).toBe(false)
    double.take()
    // It is remembered, for manifests and for blobs.
    await repository.head('v1')
    await repository.exists(config)
    expect(double.take()).toEqual([
      'GET /v2/team/app/manifests/v1',
      `GET /v2/team/app/blobs/${config.digest}`,
    ])
  })

  test('and is asked so first when what is asked for is not there', async () => {
    const { double, repository } = await setUp(fault.status(status))
    expect(await repository.head('v2')).toBeUndefined()
    expect(await repository.exists(ABSENT)).toBe(false)
    double.take()
    expect(await repository.head('v2')).toBeUndefined()
    expect(double.take()).toEqual(['GET /v2/team/app/manifests/v2'])
  })
})

test('an answer without its headers is asked for by GET from then on', async () => {
  const { double, descriptor, repository } = await setUp(
    fault.without('docker-content-digest', 'content-type'),
    /^HEAD .*manifests/,
  )
  expect(await repository.head('v1')).toEqual(descriptor)
  expect(double.take()).toEqual(['HEAD /v2/team/app/manifests/v1', 'GET /v2/team/app/manifests/v1'])
  expect(await repository.head('v1')).toEqual(descriptor)
  expect(double.take()).toEqual(['GET /v2/team/app/manifests/v1'])
})

test('what GET refuses too is an error in the words of GET, and HEAD is tried again', async () => {
  const words = '{"errors":[{"code":"DENIED","message":"not yours"}]}'
  const { double, repository } = await setUp(fault.status(403, words), /v1/)
  const error = await failureOf(repository.head('v1'))
  expect(error).toMatchObject({ kind: 'auth', message: expect.stringContaining('DENIED: not yours') })
  double.take()
  expect(await repository.head('v2')).toBeUndefined()
  expect(double.take()).toEqual(['HEAD /v2/team/app/manifests/v2'])
})

test('of a blob that GET finds cut short it is said that it is not there', async () => {
  const { double, config, repository } = await setUp(fault.status(405))
  double.contents.blobs.get('team/app')?.set(config.digest, Buffer.from('{'))
  expect(await repository.exists(config)).toBe(false)
})
