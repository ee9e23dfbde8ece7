import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { OCI_LAYER_GZIP } from '../support/images.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { bytes, descriptor, present, refusal } from './client.ts'

const run = promisify(execFile)
let dir: string
let root: string
let ecr: Ecr

/** skopeo, which must be installed; its error is what it printed. */
const skopeo = async (...args: string[]) => {
  try {
    return (await run('skopeo', ['--insecure-policy', ...args])).stdout
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new Error('this test needs skopeo: install it (apt-get install skopeo)', { cause: error })
    throw error
  }
}

const password = () => atob(ecr.token())
const destination = () => ['--dest-creds', password(), '--dest-cert-dir', dirname(ecr.caFile)]
const source = () => ['--src-creds', password(), '--src-cert-dir', dirname(ecr.caFile)]

/** An OCI layout with an index of two platforms, tagged `multi`; answers the digest of the index. */
async function layout(path: string) {
  const store = async (content: string | Uint8Array<ArrayBuffer>) => {
    const raw = typeof content === 'string' ? new TextEncoder().encode(content) : content
    await Bun.write(join(path, 'blobs', 'sha256', hexOf(digestOf(raw))), raw)
    return raw
  }
  const manifests: object[] = []
  for (const architecture of ['amd64', 'arm64']) {
    const layer = await store(bytes(1_000_000))
    const diffs = { type: 'layers', diff_ids: [digestOf(architecture)] }
    const config = await store(JSON.stringify({ architecture, os: 'linux', rootfs: diffs }))
    const manifest = await store(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: descriptor(OCI_CONFIG, config),
        layers: [descriptor(OCI_LAYER_GZIP, layer)],
      }),
    )
    manifests.push({ ...descriptor(OCI_MANIFEST, manifest), platform: { architecture, os: 'linux' } })
  }
  const index = await store(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }))
  const annotations = { 'org.opencontainers.image.ref.name': 'multi' }
  await Bun.write(
    join(path, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptor(OCI_INDEX, index), annotations }] }),
  )
  await Bun.write(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return digestOf(index)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ecr-double-skopeo-'))
  root = join(dir, 'layout')
  ecr = await startEcr({ dir: join(dir, 'store') })
})
afterAll(async () => {
  await ecr.stop()
  await rm(dir, { recursive: true })
})

describe('skopeo over TLS', () => {
  test('is told that the repository is missing', async () => {
    await layout(root)
    const copy = skopeo(
      'copy',
      '--preserve-digests',
      '--all',
      ...destination(),
      `oci:${root}:multi`,
      `docker://${ecr.registry}/none:1`,
    )
    expect(await refusal(copy)).toContain("The repository with name 'none' does not exist")
  })

  test('pushes and pulls an index byte for byte, following redirects', async () => {
    ecr.createRepository('team/app')
    const digest = await layout(root)
    await skopeo(
      'copy',
      '--preserve-digests',
      '--all',
      ...destination(),
      `oci:${root}:multi`,
      `docker://${ecr.registry}/team/app:1`,
    )
    expect(ecr.tags()).toEqual({ 'team/app:1': digest })
    expect(present(ecr.repository('team/app')).images.size).toBe(3)
    const back = join(dir, 'back')
    await skopeo(
      'copy',
      '--all',
      '--preserve-digests',
      ...source(),
      `docker://${ecr.registry}/team/app:1`,
      `oci:${back}:multi`,
    )
    expect(await Bun.file(join(back, 'blobs', 'sha256', hexOf(digest))).text()).toBe(
      await Bun.file(join(root, 'blobs', 'sha256', hexOf(digest))).text(),
    )
    expect(ecr.log.counts()).toMatchObject({ PutImage: 3, CompleteLayerUpload: 4, GetDownloadUrlForLayer: 4 })
    expect(ecr.log.requests('GET', /./, 's3').map(({ headers }) => headers['authorization'])).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    const tags = await skopeo(
      'list-tags',
      '--creds',
      password(),
      '--cert-dir',
      dirname(ecr.caFile),
      `docker://${ecr.registry}/team/app`,
    )
    expect(JSON.parse(tags)).toMatchObject({ Tags: ['1'] })
    expect(ecr.log.errors).toEqual([])
  })

  test('is refused without credentials, and without the authority', async () => {
    const target = `docker://${ecr.registry}/team/app:2`
    const anonymous = skopeo(
      'copy',
      '--preserve-digests',
      '--all',
      ...destination().slice(2),
      '--dest-no-creds',
      `oci:${root}:multi`,
      target,
    )
    expect(await refusal(anonymous)).toMatch(/unauthorized|authentication required|Not Authorized/i)
    const untrusting = skopeo(
      'copy',
      '--all',
      '--preserve-digests',
      ...destination().slice(0, 2),
      `oci:${root}:multi`,
      target,
    )
    expect(await refusal(untrusting)).toContain('certificate')
  })
})

test('the SDK of a child process needs nothing but the environment', async () => {
  const script = `import { ECR } from '@aws-sdk/client-ecr'
    const { repository } = await new ECR({}).createRepository({ repositoryName: 'from-child' })
    console.log(repository.repositoryUri)`
  const { stdout } = await run(process.execPath, ['-e', script], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { PATH: process.env['PATH'], ...ecr.environment },
  })
  expect(stdout.trim()).toBe(`${ecr.registry}/from-child`)
})
