import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { HELM_CONFIG, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { OCI_LAYER_GZIP } from '../support/images.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { ask, blobsOf, indexOf, pushImage, putManifest, told } from './client.ts'

let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false, quotas: 'none' })
  ecr.createRepository('app')
})
afterAll(() => ecr.stop())

const SYNTAX = /^405 UNSUPPORTED .*'Invalid JSON syntax'$/

/** Pushes the blobs of an image and a manifest that differs from a good one. */
const pushWith = async (over: Record<string, unknown>) => {
  const { manifest } = await blobsOf(ecr, 'app')
  return putManifest(ecr, 'app', 'bad', JSON.stringify({ ...manifest, ...over }))
}

describe('a manifest', () => {
  test('is taken by tag and given back byte for byte by tag and by digest', async () => {
    const { raw, digest } = await blobsOf(ecr, 'app', { annotations: { spaced: '  ' } })
    const put = await putManifest(ecr, 'app', 'one', raw)
    expect(put.status).toBe(201)
    expect(put.headers.get('docker-content-digest')).toBe(digest)
    const byTag = await ask(ecr, '/v2/app/manifests/one', { headers: { accept: OCI_MANIFEST } })
    expect(await byTag.text()).toBe(raw)
    expect(byTag.headers.get('content-type')).toBe(OCI_MANIFEST)
    const byDigest = await ask(ecr, `/v2/app/manifests/${digest}`)
    expect(await byDigest.text()).toBe(raw)
    const head = await ask(ecr, '/v2/app/manifests/one', {
      method: 'HEAD',
      headers: { accept: OCI_MANIFEST },
    })
    expect([
      head.status,
      head.headers.get('docker-content-digest'),
      head.headers.get('content-length'),
    ]).toEqual([200, digest, String(raw.length)])
    expect(ecr.tags()['app:one']).toBe(digest)
  })

  test('is refused as invalid JSON syntax for what ECR cannot stand', async () => {
    const { manifest } = await blobsOf(ecr, 'app')
    const config = { mediaType: OCI_CONFIG, digest: digestOf('{}'), size: 2 }
    const layer = { mediaType: OCI_LAYER_GZIP, digest: digestOf('x'), size: 1 }
    const cases: Record<string, Record<string, unknown>> = {
      'no mediaType': { mediaType: undefined },
      'a parameter in a layer type': { layers: [{ ...layer, mediaType: `${OCI_LAYER_GZIP};a=b` }] },
      'a parameter in the artifact type': { artifactType: 'application/x;v=1' },
      'a parameter in the config type': { config: { ...config, mediaType: `${OCI_CONFIG}; charset=utf-8` } },
      'annotations on the config': { config: { ...config, annotations: { a: 'b' } } },
      'no layers member': { layers: undefined },
      'schema 1': { schemaVersion: 1 },
      'another type in the body': { mediaType: OCI_INDEX, manifests: [] },
      'a bad digest': { layers: [{ ...layer, digest: 'sha256:short' }] },
    }
    for (const [name, over] of Object.entries(cases)) {
      const response = await putManifest(ecr, 'app', 'bad', JSON.stringify({ ...manifest, ...over }))
      expect(await told(response), name).toMatch(SYNTAX)
    }
    expect(await told(await putManifest(ecr, 'app', 'bad', '{"schemaVersion":2'))).toMatch(SYNTAX)
    expect(ecr.tags()['app:bad']).toBeUndefined()
  })

  test('of a chart needs no mediaType, since helm writes none', async () => {
    const { manifest } = await blobsOf(ecr, 'app')
    const config = { ...(manifest['config'] as object), mediaType: HELM_CONFIG }
    const raw = JSON.stringify({ ...manifest, mediaType: undefined, config })
    expect((await putManifest(ecr, 'app', 'chart', raw)).status).toBe(201)
    const got = await ask(ecr, '/v2/app/manifests/chart', { headers: { accept: OCI_MANIFEST } })
    expect(got.headers.get('content-type')).toBe(OCI_MANIFEST)
    expect(await got.text()).toBe(raw)
  })

  test('has at least one layer', async () => {
    expect(await told(await pushWith({ layers: [] }))).toMatch(
      /^405 UNSUPPORTED .*'Image has to have at least 1 layer'$/,
    )
  })

  test('needs its layers and its config in the same repository', async () => {
    ecr.createRepository('other')
    const { raw, layer, manifest } = await blobsOf(ecr, 'other')
    const config = (manifest['config'] as { digest: string }).digest
    expect(await told(await putManifest(ecr, 'app', 'x', raw))).toBe(
      `404 MANIFEST_BLOB_UNKNOWN Layers with digests '[${config}, ${layer}]' required for pushing image into repository with name 'app' in the registry with id '123456789012' do not exist`,
    )
  })

  test('may name foreign layers that nobody pushed', async () => {
    const foreign = {
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      digest: digestOf('foreign'),
      size: 7,
      urls: ['https://example.com/layer'],
    }
    const { manifest } = await blobsOf(ecr, 'app')
    const raw = JSON.stringify({ ...manifest, layers: [foreign, ...(manifest['layers'] as object[])] })
    expect((await putManifest(ecr, 'app', 'windows', raw)).status).toBe(201)
  })

  test('of an index needs its children first', async () => {
    const child = await blobsOf(ecr, 'app')
    const raw = indexOf([child])
    expect(await told(await putManifest(ecr, 'app', 'multi', raw, OCI_INDEX))).toBe(
      `404 MANIFEST_BLOB_UNKNOWN Images with digests '[${child.digest}]' required for pushing image into repository with name 'app' in the registry with id '123456789012' do not exist`,
    )
    expect((await putManifest(ecr, 'app', child.digest, child.raw)).status).toBe(201)
    expect((await putManifest(ecr, 'app', 'multi', raw, OCI_INDEX)).status).toBe(201)
  })

  test('pushed by digest has that digest', async () => {
    const { raw, digest } = await blobsOf(ecr, 'app')
    const wrong = digestOf('else')
    expect(await told(await putManifest(ecr, 'app', wrong, raw))).toBe(
      `400 MANIFEST_INVALID The image digest provided '${wrong}' does not match the image digest that Amazon ECR has calculated '${digest}'`,
    )
  })

  test('is at most 4 MiB', async () => {
    const { manifest } = await blobsOf(ecr, 'app')
    const padded = (size: number) => {
      const bare = JSON.stringify({ ...manifest, annotations: { pad: '' } }).length
      return JSON.stringify({ ...manifest, annotations: { pad: 'x'.repeat(size - bare) } })
    }
    expect(await told(await putManifest(ecr, 'app', 'big', padded(4_194_305)))).toMatch(
      /less than or equal to 4194304/,
    )
    expect((await putManifest(ecr, 'app', 'big', padded(4_194_304))).status).toBe(201)
  })

  test('has a tag without a plus', async () => {
    const { raw } = await blobsOf(ecr, 'app')
    for (const tag of ['1.0+2', '1.0%2B2', '-x'])
      expect(await told(await putManifest(ecr, 'app', tag, raw)), tag).toMatch(
        /^400 UNSUPPORTED .*\[a-zA-Z0-9-_\.\]\+/,
      )
    expect((await ask(ecr, '/v2/app/manifests/1.0+2', { method: 'HEAD' })).status).toBe(400)
  })

  test('by tag is translated for whoever accepts the other format only, and is another one then', async () => {
    const { digest } = await pushImage(ecr, 'app', 'typed')
    const nothing = await ask(ecr, '/v2/app/manifests/typed', { headers: { accept: '*/*' } })
    expect(await told(nothing)).toMatch(/^404 MANIFEST_UNKNOWN Requested image not found/)
    const accept = 'application/vnd.docker.distribution.manifest.v2+json'
    const docker = await ask(ecr, '/v2/app/manifests/typed', { headers: { accept } })
    expect(docker.headers.get('content-type')).toBe(accept)
    const raw = await docker.bytes()
    expect(docker.headers.get('docker-content-digest')).toBe(digestOf(raw))
    expect(digestOf(raw)).not.toBe(digest)
    expect(JSON.parse(new TextDecoder().decode(raw))).toMatchObject({
      mediaType: accept,
      config: { mediaType: 'application/vnd.docker.container.image.v1+json' },
    })
    const exact = await ask(ecr, `/v2/app/manifests/${digest}`, { headers: { accept } })
    expect(digestOf(await exact.bytes())).toBe(digest)
    const response = await ask(ecr, '/v2/app/manifests/typed', {
      headers: { accept: `${OCI_MANIFEST}, */*` },
    })
    expect(response.status).toBe(200)
  })

  test('that is absent is unknown, and cannot be deleted through this door', async () => {
    const absent = await ask(ecr, '/v2/app/manifests/absent', { headers: { accept: OCI_MANIFEST } })
    expect(await told(absent)).toBe('404 MANIFEST_UNKNOWN Requested image not found')
    const { digest } = await pushImage(ecr, 'app', 'kept')
    expect((await ask(ecr, `/v2/app/manifests/${digest}`, { method: 'DELETE' })).status).toBe(404)
    expect(ecr.tags()['app:kept']).toBe(digest)
  })

  test('with a subject is found among its referrers', async () => {
    const image = await pushImage(ecr, 'app', 'subject')
    const subject = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.raw.length }
    const signature = await blobsOf(ecr, 'app', {
      subject,
      artifactType: 'application/x.sig',
      annotations: { by: 'me' },
    })
    const put = await putManifest(ecr, 'app', signature.digest, signature.raw)
    expect(put.headers.get('oci-subject')).toBe(image.digest)
    const all = await ask(ecr, `/v2/app/referrers/${image.digest}`)
    expect(all.headers.get('content-type')).toBe(OCI_INDEX)
    expect(await all.json()).toEqual({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        {
          mediaType: OCI_MANIFEST,
          digest: signature.digest,
          size: signature.raw.length,
          artifactType: 'application/x.sig',
          annotations: { by: 'me' },
        },
      ],
    })
    const none = await ask(ecr, `/v2/app/referrers/${image.digest}?artifactType=application/y`)
    expect(none.headers.get('oci-filters-applied')).toBe('artifactType')
    expect(((await none.json()) as { manifests: unknown[] }).manifests).toEqual([])
  })
})
