import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Descriptor } from '../../../src/oci/descriptor.ts'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { layerOf, OCI_LAYER_GZIP } from '../../support/images.ts'
import { startDouble, type RegistryDouble } from '../../support/registry/double.ts'
import { runShell } from '../../support/shell.ts'

let folder: string
let source: RegistryDouble
let target: RegistryDouble

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holes-'))
  ;[source, target] = await Promise.all([startDouble(), startDouble()])
})
afterEach(async () => {
  await Promise.all([source.stop(), target.stop()])
  await rm(folder, { recursive: true })
})

type Entry = Record<string, unknown> & Descriptor

function image(architecture: string): Entry {
  const config = source.addBlob(
    'team/app',
    Buffer.from(JSON.stringify({ os: 'linux', architecture })),
    OCI_CONFIG,
  )
  const layers = [source.addBlob('team/app', layerOf({ [architecture]: 'x' }), OCI_LAYER_GZIP)]
  const { descriptor } = source.addManifest('team/app', {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config,
    layers,
  })
  return { ...descriptor, platform: { os: 'linux', architecture } }
}

function attestationOf({ digest }: Entry): Entry {
  const config = source.addBlob('team/app', Buffer.from('{}'), OCI_CONFIG)
  const layers = [source.addBlob('team/app', Buffer.from(digest), 'application/vnd.in-toto+json')]
  const { descriptor } = source.addManifest('team/app', {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config,
    layers,
  })
  const annotations = {
    'vnd.docker.reference.type': 'attestation-manifest',
    'vnd.docker.reference.digest': digest,
  }
  return { ...descriptor, platform: { os: 'unknown', architecture: 'unknown' }, annotations }
}

const index = (manifests: readonly object[]) =>
  source.addManifest('team/app', { schemaVersion: 2, mediaType: OCI_INDEX, manifests }, '1').descriptor.digest

const lose = ({ digest }: Entry): void => void source.contents.manifests.get('team/app')?.delete(digest)

async function exported(reference = ':1', ...args: readonly string[]) {
  const spec = join(folder, 'spec.yaml')
  await writeFile(spec, `images: ["${source.host}/team/app${reference}"]\n`)
  return runShell(['export', join(folder, 'b.tar'), '--spec', spec, ...args])
}

/** The entries of the index that an import of the bundle pushes. */
async function imported(): Promise<readonly unknown[]> {
  const outcome = await runShell([
    'import',
    join(folder, 'b.tar'),
    '--registry',
    target.host,
    '--values',
    join(folder, 'v.yaml'),
  ])
  expect(outcome.code, outcome.stderr).toBe(0)
  const [held] = target.contents.manifests.values()
  const raw = held?.get('1')?.raw
  const { manifests } = JSON.parse(raw?.toString() ?? '{}') as { manifests: { digest: string }[] }
  return manifests.map(({ digest }) => digest)
}

describe('of an index whose registry lost', () => {
  it('an attestation, all else is taken, with a warning that names it', async () => {
    const [amd64, arm64] = [image('amd64'), image('arm64')]
    const [one, other] = [attestationOf(amd64), attestationOf(arm64)]
    index([amd64, arm64, one, other])
    lose(one)
    const outcome = await exported()
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(outcome.stderr).toContain(`${one.digest} (attestation of ${amd64.digest})`)
    expect(await imported()).toEqual([amd64.digest, arm64.digest, other.digest])
  })

  it('an attestation, of all platforms too', async () => {
    const amd64 = image('amd64')
    const attestation = attestationOf(amd64)
    index([amd64, attestation])
    lose(attestation)
    const outcome = await exported(':1', '--platform', 'all')
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(await imported()).toEqual([amd64.digest])
  })

  it('a platform, it counts as missing: refused by its name, and allowed as the message says', async () => {
    const [amd64, arm64] = [image('amd64'), image('arm64')]
    index([amd64, arm64, attestationOf(arm64)])
    lose(arm64)
    const refused = await exported()
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(
      `no image for linux/arm64: its index lists ${arm64.digest} (linux/arm64), which the registry no longer has`,
    )
    expect(refused.stderr).toContain('the index is right and the registry lost it')
    expect((await exported(':1', '--platform', 'all')).code).toBe(1)
    const allowed = await exported(':1', '--allow-missing-platform')
    expect(allowed.code, allowed.stderr).toBe(0)
    expect(allowed.stderr).toContain(arm64.digest)
    expect(await imported()).toEqual([amd64.digest])
  })

  it('a platform that is not wanted, nothing is said', async () => {
    const [amd64, arm64, s390x] = [image('amd64'), image('arm64'), image('s390x')]
    index([amd64, arm64, s390x])
    lose(s390x)
    const outcome = await exported()
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(outcome.stderr).not.toContain(s390x.digest)
    expect(await imported()).toEqual([amd64.digest, arm64.digest])
  })

  it('every platform, it is refused whatever is allowed', async () => {
    const [amd64, arm64] = [image('amd64'), image('arm64')]
    index([amd64, arm64])
    lose(amd64)
    lose(arm64)
    const outcome = await exported(':1', '--allow-missing-platform')
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('no image for linux/amd64, linux/arm64')
  })

  it('anything, and that is named by digest: refused, and taken by its tag as the message says', async () => {
    const [amd64, arm64] = [image('amd64'), image('arm64')]
    const attestation = attestationOf(amd64)
    const digest = index([amd64, arm64, attestation])
    lose(attestation)
    const refused = await exported(`@${digest}`)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`the registry no longer has ${attestation.digest}`)
    expect(refused.stderr).toContain('name the image by its tag instead of its digest')
    const taken = await exported()
    expect(taken.code, taken.stderr).toBe(0)
  })
})

describe('entries that nobody asks for', () => {
  const odd = {
    'a digest of sha512': (entry: Entry) => ({ ...entry, digest: `sha512:${'1'.repeat(128)}` }),
    'Docker schema 1': (entry: Entry) => ({
      ...entry,
      mediaType: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
    }),
    'a type of its own, at no address of blobs': (entry: Entry) => ({
      ...entry,
      mediaType: 'application/vnd.example.thing+json',
    }),
    'no size': (entry: Entry) => ({ ...entry, size: undefined }),
  }

  it.each(Object.entries(odd))('of another platform never refuse the rest: %s', async (_, change) => {
    const [amd64, arm64] = [image('amd64'), image('arm64')]
    index([change(image('s390x')), amd64, arm64])
    const outcome = await exported()
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(outcome.stderr).not.toContain('left out')
    expect(await imported()).toEqual([amd64.digest, arm64.digest])
  })

  it.each(Object.entries(odd))('of no platform are left out with a warning: %s', async (_, change) => {
    const [amd64, arm64] = [image('amd64'), image('arm64')]
    const entry = { ...change(image('s390x')), platform: undefined }
    index([entry, amd64, arm64])
    const outcome = await exported()
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(outcome.stderr).toContain('left out of its index')
    expect(await imported()).toEqual([amd64.digest, arm64.digest])
  })

  it('but are missed when their platform is wanted', async () => {
    const [amd64, arm64] = [image('amd64'), image('arm64')]
    index([amd64, odd['a digest of sha512'](arm64)])
    const outcome = await exported()
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('no image for linux/arm64')
    expect(outcome.stderr).toContain('its digest is not a sha256')
  })
})

it('refuses an index that lists nothing', async () => {
  index([])
  for (const platform of ['linux/amd64', 'all']) {
    const outcome = await exported(':1', '--platform', platform)
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('its index lists nothing')
  }
})

it('refuses an image that comes for none of the wanted platforms, and says for which it does', async () => {
  index([image('s390x'), image('ppc64le')])
  const outcome = await exported()
  expect(outcome.code).toBe(1)
  expect(outcome.stderr).toContain(
    'no image for linux/amd64, linux/arm64; it comes for linux/s390x, linux/ppc64le',
  )
})
