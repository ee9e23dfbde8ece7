import { afterEach, describe, expect, test } from 'vitest'
import { bytesOf } from '../../src/lib/bytes/bytes.ts'
import { digestOf } from '../../src/oci/digest.ts'
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'
import { failureOf, harness, listAll } from '../support/registry/harness.ts'

const running: RegistryDouble[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

async function setUp(options: DoubleOptions = {}) {
  const double = await startDouble(options)
  running.push(double)
  const config = double.addBlob('team/app', Buffer.from('{}'), OCI_CONFIG)
  const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] }
  const manifest = double.addManifest('team/app', image, 'v1')
  const { client, events } = harness()
  return { double, manifest, image, events, repository: openRepository(client, double.host, 'team/app') }
}

const PATH = '/v2/team/app/manifests'

describe('resolve', () => {
  test('gives the bytes as stored, with one GET that accepts every type', async () => {
    const { double, manifest, repository } = await setUp()
    const found = await repository.resolve('v1')
    expect(found.descriptor).toEqual(manifest.descriptor)
    expect(Buffer.compare(found.raw, manifest.raw)).toBe(0)
    expect(double.take()).toEqual([`GET ${PATH}/v1`])
    const accepted = double.requests[0]?.headers['accept']?.split(', ')
    expect(accepted).toEqual(expect.arrayContaining([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST]))
  })

  test('keeps bytes no JSON writer would write, and a missing mediaType', async () => {
    const { double, repository } = await setUp()
    const raw = Buffer.from('{ "schemaVersion":2,\n\t"manifests" : [ ] }\n')
    double.addManifest('team/app', raw, 'odd', OCI_INDEX)
    const found = await repository.resolve('odd')
    expect(Buffer.compare(found.raw, raw)).toBe(0)
    expect(found.descriptor).toEqual({ mediaType: OCI_INDEX, digest: digestOf(raw), size: raw.length })
  })

  test('refuses what is not of the digest that was asked for', async () => {
    const { manifest, repository } = await setUp({ faults: [{ on: /manifests/, change: fault.corrupt }] })
    const error = await failureOf(repository.resolve(manifest.descriptor.digest))
    expect(error).toMatchObject({
      kind: 'integrity',
      message: expect.stringContaining(manifest.descriptor.digest),
    })
  })

  test('refuses what is not of the digest the registry itself names', async () => {
    const { repository } = await setUp({ faults: [{ on: /manifests/, change: fault.corrupt }] })
    expect((await failureOf(repository.resolve('v1'))).kind).toBe('integrity')
  })

  test('refuses a type other than the manifest says it is', async () => {
    const { repository } = await setUp({
      faults: [
        {
          on: /manifests/,
          change: fault.withHeaders({ 'content-type': `${DOCKER_MANIFEST}; charset=utf-8` }),
        },
      ],
    })
    const error = await failureOf(repository.resolve('v1'))
    expect(error.message).toContain(`says it is ${OCI_MANIFEST}, the registry says ${DOCKER_MANIFEST}`)
  })

  test('takes the type of the manifest when the registry is vague', async () => {
    const { repository } = await setUp({
      faults: [
        { on: /manifests/, change: fault.withHeaders({ 'content-type': 'application/json; charset=utf-8' }) },
      ],
    })
    expect((await repository.resolve('v1')).descriptor.mediaType).toBe(OCI_MANIFEST)
  })

  test('reads through a cache that compresses', async () => {
    const { manifest, repository } = await setUp({ faults: [{ on: /manifests/, change: fault.gzipped }] })
    expect((await repository.resolve('v1')).descriptor).toEqual(manifest.descriptor)
  })

  test('lets an endless manifest go at the limit', async () => {
    const { repository } = await setUp({
      faults: [{ on: /manifests/, change: fault.endless }],
    })
    expect((await failureOf(repository.resolve('v1'))).message).toContain('larger than the 4 MiB')
  })

  test.each([
    [200, 'content-type', 'text/html'],
    [404, 'content-type', 'text/html; charset=utf-8'],
  ])('tells a web server from a registry (%i)', async (code, name, value) => {
    const page = '<!doctype html><title>Log in</title>'
    const { double, repository } = await setUp({
      faults: [{ change: fault.status(code, page, { [name]: value }) }],
    })
    const error = await failureOf(repository.resolve('v1'))
    expect(error.message).toContain(`${double.host} does not look like a registry`)
    expect(error.next).toContain('check the host')
  })

  test('fails at once on a missing tag, in the words of the registry', async () => {
    const { double, repository } = await setUp()
    const error = await failureOf(repository.resolve('nope'))
    expect(error).toMatchObject({ kind: 'failed', where: `${double.host}/team/app:nope` })
    expect(error.message).toContain('MANIFEST_UNKNOWN: manifest unknown')
    expect(double.requests).toHaveLength(1)
  })
})

describe('head', () => {
  test('is one HEAD', async () => {
    const { double, manifest, repository } = await setUp()
    expect(await repository.head('v1')).toEqual(manifest.descriptor)
    expect(double.take()).toEqual([`HEAD ${PATH}/v1`])
  })

  test('is undefined for 404, and for nothing else', async () => {
    const { double, repository } = await setUp()
    expect(await repository.head('nope')).toBeUndefined()
    double.addFault({ change: fault.status(403, '{"errors":[{"code":"DENIED","message":"no"}]}') })
    expect((await failureOf(repository.head('v1'))).message).toContain('DENIED: no')
    expect(double.take()).toEqual([`HEAD ${PATH}/nope`, `HEAD ${PATH}/v1`, `GET ${PATH}/v1`])
  })

  test.each([
    ['names no digest', fault.without('docker-content-digest')],
    ['is refused', fault.status(405)],
  ])('falls back to GET when HEAD %s', async (_, change) => {
    const { double, manifest, repository } = await setUp({ faults: [{ on: /^HEAD/, change }] })
    expect(await repository.head('v1')).toEqual(manifest.descriptor)
    expect(double.requests.at(-1)?.method).toBe('GET')
  })

  test('does not ask the busy twice', async () => {
    const { double, manifest, repository } = await setUp({
      faults: [{ on: /^HEAD/, times: 2, change: fault.status(503) }],
    })
    expect(await repository.head('v1')).toEqual(manifest.descriptor)
    expect(double.requests.map(({ method }) => method)).toEqual(['HEAD', 'HEAD', 'HEAD'])
  })
})

describe('pushManifest', () => {
  test('puts the exact bytes under their exact type', async () => {
    const { double, manifest, repository } = await setUp()
    await repository.pushManifest(manifest, 'v2')
    await repository.push(manifest.descriptor, async () => bytesOf(manifest.raw))
    expect(double.take()).toEqual([`PUT ${PATH}/v2`, `PUT ${PATH}/${manifest.descriptor.digest}`])
    for (const { body, headers } of double.requests) {
      expect(Buffer.compare(body, manifest.raw)).toBe(0)
      expect(headers['content-type']).toBe(OCI_MANIFEST)
    }
  })

  test('waits for a registry whose check lags behind the uploads, but not for ever', async () => {
    const words = JSON.stringify({
      errors: [{ code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown to registry' }],
    })
    const { double, manifest, repository } = await setUp({
      faults: [{ on: /^PUT/, times: 2, change: fault.status(404, words) }],
    })
    await repository.pushManifest(manifest, 'v2')
    expect(double.requests).toHaveLength(3)
    double.addFault({ on: /^PUT/, change: fault.status(404, words) })
    const error = await failureOf(repository.pushManifest(manifest, 'v3'))
    expect(error).toMatchObject({ kind: 'failed', message: expect.stringContaining('MANIFEST_BLOB_UNKNOWN') })
    expect(double.requests).toHaveLength(6)
  })

  test('notices a registry that stores something else', async () => {
    const other = `sha256:${'0'.repeat(64)}`
    const { manifest, repository } = await setUp({
      faults: [{ on: /^PUT/, change: fault.withHeaders({ 'docker-content-digest': other }) }],
    })
    const error = await failureOf(repository.pushManifest(manifest, 'v2'))
    expect(error).toMatchObject({ kind: 'integrity', message: expect.stringContaining(`stored ${other}`) })
  })
})

describe('tag', () => {
  const words = JSON.stringify({
    errors: [
      {
        code: 'TAG_INVALID',
        message: "The image tag 'v1' already exists and cannot be overwritten because the tag is immutable",
      },
    ],
  })

  test('is content with an immutable tag that stands for the same', async () => {
    const { manifest, repository } = await setUp({
      faults: [{ on: /^PUT/, change: fault.status(400, words) }],
    })
    await repository.tag(manifest, 'v1')
  })

  test('is not content with one that stands for something else', async () => {
    const { double, image, repository } = await setUp({
      faults: [{ on: /^PUT/, change: fault.status(400, words) }],
    })
    const other = double.addManifest('team/app', { ...image, annotations: { a: 'b' } })
    expect((await failureOf(repository.tag(other, 'v1'))).message).toContain('the tag is immutable')
  })
})

describe('tags', () => {
  test('come from all pages', async () => {
    const { double, manifest, repository } = await setUp({ pageSize: 3 })
    const tags = ['v1', ...Array.from({ length: 6 }, (_, at) => `t${at}`)]
    for (const tag of tags.slice(1)) double.addManifest('team/app', manifest.raw, tag, OCI_MANIFEST)
    expect((await listAll(repository.tags())).toSorted()).toEqual(tags.toSorted())
    expect(double.requests).toHaveLength(3)
  })

  test('end where a page points at itself', async () => {
    const { double, repository } = await setUp({
      faults: [
        { on: /tags/, change: fault.withHeaders({ link: '</v2/team/app/tags/list?n=1000>; rel="next"' }) },
      ],
    })
    expect((await listAll(repository.tags())).length).toBeGreaterThan(0)
    expect(double.requests.length).toBeLessThan(4)
  })
})

describe('referrers', () => {
  const about = (subject: unknown) => ({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/vnd.example.sbom',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 },
    layers: [],
    subject,
  })

  test('come from the API', async () => {
    const { double, manifest, repository } = await setUp({ referrers: true })
    const sbom = double.addManifest('team/app', about(manifest.descriptor))
    expect(await repository.referrers(manifest.descriptor.digest)).toEqual([
      { ...sbom.descriptor, artifactType: 'application/vnd.example.sbom' },
    ])
    expect(double.requests).toHaveLength(1)
  })

  test('come from the tag that stands in for the API', async () => {
    const { double, manifest, repository } = await setUp()
    const sbom = double.addManifest('team/app', about(manifest.descriptor))
    const tag = manifest.descriptor.digest.replace(':', '-')
    double.addManifest(
      'team/app',
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [sbom.descriptor] },
      tag,
    )
    expect(await repository.referrers(manifest.descriptor.digest)).toEqual([sbom.descriptor])
  })

  test('are none when there is neither', async () => {
    const { manifest, repository } = await setUp()
    expect(await repository.referrers(manifest.descriptor.digest)).toEqual([])
  })

  test('are not none because the registry is down', async () => {
    const { manifest, repository } = await setUp({ faults: [{ on: /referrers/, change: fault.status(500) }] })
    expect((await failureOf(repository.referrers(manifest.descriptor.digest))).kind).toBe('network')
  })
})
