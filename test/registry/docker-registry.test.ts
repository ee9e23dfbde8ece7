import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bytesOf, type Bytes } from '../../src/lib/bytes/bytes.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { noise, OCI_LAYER_GZIP } from '../support/images.ts'
import { digestAll, failureOf, harness, listAll } from '../support/registry/harness.ts'

const user = { username: 'me', password: 'secret' }
const describeContent = (mediaType: string, content: Uint8Array) => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
})
const layer = noise(20_000_000)
const config = Buffer.from('{"architecture":"amd64","os":"linux"}')
const [layerAt, configAt] = [describeContent(OCI_LAYER_GZIP, layer), describeContent(OCI_CONFIG, config)]
const raw = Buffer.from(
  JSON.stringify(
    { schemaVersion: 2, mediaType: OCI_MANIFEST, config: configAt, layers: [layerAt] },
    undefined,
    3,
  ),
)
const manifest = { descriptor: describeContent(OCI_MANIFEST, raw), raw }
const rawIndex = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [manifest.descriptor] }),
)
const index = { descriptor: describeContent(OCI_INDEX, rawIndex), raw: rawIndex }

let authority: TestAuthority
let open: DockerRegistry
let secure: DockerRegistry
beforeAll(async () => {
  authority = await createAuthority()
  const tls = await authority.issue('localhost')
  ;[open, secure] = await Promise.all([startDockerRegistry(), startDockerRegistry({ tls, user })])
})
afterAll(async () => {
  await Promise.all([open.stop(), secure.stop()])
  await authority.remove()
})

describe.each(['plain', 'with TLS of its own CA and htpasswd'])('Debian docker-registry, %s', (kind) => {
  const setUp = (name: string) => {
    const { host } = kind === 'plain' ? open : secure
    const { client } = harness({
      net: { caFiles: [authority.caFile] },
      credentials: async (registry) => (registry === secure.host ? user : undefined),
    })
    return { client, host, repository: openRepository(client, host, name) }
  }

  test('takes an image and gives it back byte for byte', async () => {
    const { repository } = setUp('team/app')
    expect(await repository.exists(layerAt)).toBe(false)
    await repository.push(layerAt, async () => bytesOf(layer))
    await repository.push(configAt, async () => bytesOf(config))
    await repository.push(manifest.descriptor, async () => bytesOf(raw))
    await repository.pushManifest(index, 'v1')
    expect(await repository.exists(layerAt)).toBe(true)
    expect(await repository.head('v1')).toEqual(index.descriptor)
    const found = await repository.resolve('v1')
    expect(found.descriptor).toEqual(index.descriptor)
    expect(Buffer.compare(found.raw, rawIndex)).toBe(0)
    expect(Buffer.compare((await repository.resolve(manifest.descriptor.digest)).raw, raw)).toBe(0)
    expect(await digestAll(await repository.fetch(layerAt))).toEqual({
      size: layerAt.size,
      digest: layerAt.digest,
    })
    expect((await digestAll(await repository.fetch(layerAt, 19_999_000))).size).toBe(1000)
    expect(await listAll(repository.tags())).toEqual(['v1'])
    expect(await repository.referrers(index.descriptor.digest)).toEqual([])
  })

  test('mounts between repositories', async () => {
    const { client, host, repository } = setUp('mount/from')
    const other = openRepository(client, host, 'mount/to')
    await repository.push(configAt, async () => bytesOf(config))
    expect(await other.mount(configAt, 'mount/from')).toBe(true)
    expect(await other.exists(configAt)).toBe(true)
  })

  test('says what is missing', async () => {
    const { repository } = setUp('nothing/here')
    expect(await repository.head('v1')).toBeUndefined()
    expect((await failureOf(repository.resolve('v1'))).message).toContain(
      'MANIFEST_UNKNOWN: manifest unknown',
    )
    const error = await failureOf(repository.pushManifest(manifest, 'v1'))
    expect(error.message).toContain('MANIFEST_BLOB_UNKNOWN')
  })
})

test('a registry that is restarted in the middle of a push and of a pull is waited for', async () => {
  const storage = await mkdtemp(join(tmpdir(), 'ma-bundle-storage-'))
  let registry = await startDockerRegistry({ storage })
  const { host } = registry
  const restart = async (): Promise<void> => {
    await registry.stop()
    registry = await startDockerRegistry({ storage, port: Number(host.split(':')[1]) })
  }
  const { client, events } = harness({ retry: { attempts: 8, baseMs: 20, maxMs: 500 } })
  const repository = openRepository(client, host, 'team/app')
  let restarts = 0
  async function* restarting(content: Uint8Array): Bytes {
    for (let at = 0; at < content.length; at += 1_000_000) {
      if (at === 10_000_000 && restarts === 0) {
        restarts += 1
        await restart()
      }
      yield content.subarray(at, at + 1_000_000)
    }
  }
  await repository.push(layerAt, async () => restarting(layer))
  expect(events.length).toBeGreaterThan(0)
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of await repository.fetch(layerAt)) {
    hash.update(chunk)
    size += chunk.length
    if (restarts === 1) {
      restarts += 1
      await restart()
    }
  }
  expect(size).toBe(layerAt.size)
  expect(`sha256:${hash.digest('hex')}`).toBe(layerAt.digest)
  await registry.stop()
  await rm(storage, { recursive: true })
})

test('Debian docker-registry says who may not come in', async () => {
  const { client } = harness({
    net: { caFiles: [authority.caFile] },
    credentials: async () => ({ ...user, password: 'wrong' }),
  })
  const error = await failureOf(openRepository(client, secure.host, 'team/app').head('v1'))
  expect(error).toMatchObject({
    kind: 'auth',
    message: expect.stringContaining('UNAUTHORIZED: authentication required'),
  })
})
