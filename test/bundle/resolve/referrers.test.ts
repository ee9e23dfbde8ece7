import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hexOf } from '../../../src/oci/digest.ts'
import { HELM_CHART, HELM_CONFIG, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { startDockerRegistry, type DockerRegistry } from '../../support/docker-registry.ts'
import { startEcr } from '../../support/ecr/server.ts'
import { layerOf } from '../../support/images.ts'
import { startDouble, type RegistryDouble } from '../../support/registry/double.ts'
import { runShell } from '../../support/shell.ts'
import { startSource } from '../../support/source.ts'

let folder: string
let source: RegistryDouble
let target: DockerRegistry
const at = (name: string): string => join(folder, name)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'referrers-'))
  ;[source, target] = await Promise.all([startDouble(), startDockerRegistry()])
})
afterEach(async () => {
  await Promise.all([source.stop(), target.stop()])
  await rm(folder, { recursive: true })
})

async function exported(bundle: string, spec: string, ...args: readonly string[]) {
  await writeFile(at('spec.yaml'), spec)
  const outcome = await runShell(['export', at(bundle), '--spec', at('spec.yaml'), '--no-prove', ...args])
  expect(outcome.code, outcome.stderr).toBe(0)
  return outcome
}

function chart(registry: RegistryDouble, repository: string) {
  const metadata = { apiVersion: 'v2', name: 'app', version: '1.0.0' }
  const tgz = layerOf({ 'app/Chart.yaml': JSON.stringify(metadata) })
  const config = registry.addBlob(repository, Buffer.from(JSON.stringify(metadata)), HELM_CONFIG)
  const layers = [registry.addBlob(repository, tgz, HELM_CHART)]
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }
  return registry.addManifest(repository, manifest, '1.0.0').descriptor
}

/** By cosign's tag, and by a referrer that only its fallback tag lists. */
function sign(
  registry: RegistryDouble,
  repository: string,
  { digest, mediaType, size }: ReturnType<typeof chart>,
) {
  const config = registry.addBlob(repository, Buffer.from('{}'), OCI_EMPTY)
  const layers = [
    registry.addBlob(repository, Buffer.from(`signed ${digest}`), 'application/x.simplesigning'),
  ]
  const tag = `sha256-${hexOf(digest)}.sig`
  const cosign = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }
  const signature = registry.addManifest(repository, cosign, tag).descriptor
  const artifactType = 'application/vnd.example.sbom'
  const subject = { digest, mediaType, size }
  const referrer = registry.addManifest(repository, { ...cosign, artifactType, subject }).descriptor
  const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...referrer, artifactType }] }
  registry.addManifest(repository, list, `sha256-${hexOf(digest)}`)
  return { tag, signature, referrer }
}

const held = async (path: string): Promise<number> => {
  const accept = `${OCI_MANIFEST}, ${OCI_INDEX}`
  return (await fetch(`http://${target.host}/v2/${path}`, { headers: { accept } })).status
}

const OCI_EMPTY = 'application/vnd.oci.empty.v1+json'

describe('signatures of a chart', () => {
  it('travel with it, land beside it, and are there again with its lock', async () => {
    const { tag, referrer } = sign(source, 'charts/app', chart(source, 'charts/app'))
    const spec = `charts: ["app|1.0.0|oci://${source.host}/charts"]\n`
    await exported('b.tar', spec, '--referrers')
    const args = ['import', at('b.tar'), '--registry', target.host, '--values', at('v.yaml')]
    const imported = await runShell(args)
    expect(imported.code, imported.stderr).toBe(0)
    expect(await held('charts/app/manifests/1.0.0')).toBe(200)
    expect(await held(`charts/app/manifests/${tag}`)).toBe(200)
    expect(await held(`charts/app/manifests/${referrer.digest}`)).toBe(200)
    const verified = await runShell(['verify', at('b.tar'), '--registry', target.host])
    expect(verified.code, verified.stdout).toBe(0)
    expect(verified.stdout).toContain('3 of 3 are in')
    expect(verified.stdout).toContain('0 tags are extra')
    const again = await runShell(['export', at('c.tar'), '--lock', at('b.tar.lock.json'), '--no-prove'])
    expect(again.code, again.stderr).toBe(0)
    expect(Buffer.compare(await readFile(at('b.tar')), await readFile(at('c.tar')))).toBe(0)
  })

  it('come from the origin when the mirror has none', async () => {
    const mirror = await startDouble()
    const { signature } = sign(source, 'charts/app', chart(source, 'charts/app'))
    chart(mirror, 'charts/app')
    const spec = `charts: ["app|1.0.0|oci://${source.host}/charts"]\n`
    await exported('b.tar', spec, '--referrers', '--mirror', `${source.host}=${mirror.host}`)
    await mirror.stop()
    const inspected = await runShell(['inspect', at('b.tar'), '--json'])
    expect(inspected.stdout).toContain(signature.digest)
  })

  it('are said to be unknown when only a mirror is reached', async () => {
    const mirror = await startDouble()
    chart(mirror, 'charts/app')
    const spec = `charts: ["app|1.0.0|oci://127.0.0.1:1/charts"]\n`
    const outcome = await exported('b.tar', spec, '--referrers', '--mirror', `127.0.0.1:1=${mirror.host}`)
    await mirror.stop()
    expect(outcome.stderr).toContain('whether there are signatures of 127.0.0.1:1/charts/app is not known')
  })
})

it('a provenance file of a web server is said to be left out, and carried as the message says', async () => {
  const metadata = { apiVersion: 'v2', name: 'app', version: '1.0.0' }
  const tgz = layerOf({ 'app/Chart.yaml': JSON.stringify(metadata) })
  const web = await startSource({
    images: {},
    charts: [{ name: 'app', version: '1.0.0', metadata, tgz }],
    intercept: ({ url = '' }, response) => {
      if (!url.endsWith('.prov')) return false
      response.end('-----BEGIN PGP SIGNED MESSAGE-----\n')
      return true
    },
  })
  const listed = `"app|1.0.0|http://${web.host}/charts"`
  const warned = await exported('b.tar', `charts: [${listed}]\n`, '--referrers')
  expect(warned.stderr).toContain('its provenance file is left out')
  const [, url] = /among the files of the spec: (\S+)/.exec(warned.stderr) ?? []
  const silent = await exported('c.tar', `charts: [${listed}]\n`)
  expect(silent.stderr).not.toContain('provenance')
  const spec = `apiVersion: ma-bundle/v1
kind: BundleSpec
name: signed
version: 1.0.0
groups: [{ name: all, files: [{ name: app-1.0.0.tgz.prov, url: "${url ?? ''}" }] }]
`
  await exported('d.tar', spec)
  await web.stop()
  expect((await readFile(at('d.tar'))).includes('BEGIN PGP SIGNED')).toBe(true)
})

describe('--attestations drop', () => {
  function attested(artifactType?: string) {
    const config = source.addBlob(
      'team/app',
      Buffer.from('{"os":"linux","architecture":"amd64"}'),
      OCI_CONFIG,
    )
    const layers = [source.addBlob('team/app', layerOf({ a: 'x' }))]
    const common = { schemaVersion: 2, mediaType: OCI_MANIFEST }
    const image = source.addManifest('team/app', { ...common, config, layers }).descriptor
    const statement = [source.addBlob('team/app', Buffer.from('{}'), 'application/vnd.in-toto+json')]
    const attestation = source.addManifest('team/app', {
      ...common,
      config: source.addBlob('team/app', Buffer.from('{}'), OCI_EMPTY),
      layers: statement,
      ...(artifactType === undefined ? {} : { artifactType }),
    }).descriptor
    const annotations = {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.digest,
    }
    const manifests = [
      { ...image, platform: { os: 'linux', architecture: 'amd64' } },
      { ...attestation, annotations, platform: { os: 'unknown', architecture: 'unknown' } },
    ]
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
    return { image, attestation, index: source.addManifest('team/app', index, '1').descriptor }
  }
  const platform = ['--platform', 'linux/amd64']

  it('is what the warning about attestations that ECR refuses says, and it helps', async () => {
    const { image, attestation } = attested('application/vnd.docker.attestation.manifest.v1+json')
    const spec = `images: ["${source.host}/team/app:1"]\n`
    const warned = await exported('b.tar', spec, ...platform)
    expect(warned.stderr).toContain('ECR would refuse it')
    expect(warned.stderr).toContain('leave attestations out with --attestations drop')
    const followed = await exported('c.tar', spec, ...platform, '--attestations', 'drop')
    expect(followed.stderr).not.toContain('ECR would refuse it')
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    const args = ['--registry', ecr.registry, '--endpoint-url', ecr.endpoint, '--region', ecr.region]
    const imported = await runShell(['import', at('c.tar'), ...args, '--values', at('v.yaml')], {
      env: ecr.environment,
    })
    const images = ecr.repositories().flatMap(({ images: stored }) => [...stored.keys()])
    await ecr.stop()
    expect(imported.code, imported.stderr).toBe(0)
    expect(images).toContain(image.digest)
    expect(images).not.toContain(attestation.digest)
  })

  it('drops them of all platforms too, and its lock does so again', async () => {
    const { attestation } = attested()
    const spec = `images: ["${source.host}/team/app:1"]\n`
    await exported('b.tar', spec, '--platform', 'all', '--attestations', 'drop')
    expect((await readFile(at('b.tar'))).includes(hexOf(attestation.digest))).toBe(false)
    const again = await runShell(['export', at('c.tar'), '--lock', at('b.tar.lock.json'), '--no-prove'])
    expect(again.code, again.stderr).toBe(0)
    expect(Buffer.compare(await readFile(at('b.tar')), await readFile(at('c.tar')))).toBe(0)
  })

  it('says that they stay with an image that is named by digest, and how to drop them', async () => {
    const { attestation, index } = attested()
    const spec = `images: ["${source.host}/team/app@${index.digest}"]\n`
    const outcome = await exported('b.tar', spec, ...platform, '--attestations', 'drop')
    expect(outcome.stderr).toContain('its attestations stay')
    expect(outcome.stderr).toContain('name the image by its tag')
    expect((await readFile(at('b.tar'))).includes(hexOf(attestation.digest))).toBe(true)
  })
})
