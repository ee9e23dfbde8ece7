import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chartTags } from '../../src/bundle/format/destination.ts'
import { chartLayer, packChart, type ChartArtifact } from '../../src/helm/artifact.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import {
  HELM_CHART,
  HELM_CONFIG,
  HELM_PROVENANCE,
  OCI_CONFIG,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { layerOf, pushImage, type BuiltImage, OCI_LAYER_GZIP } from '../support/images.ts'

const run = promisify(execFile)

const CHART_YAML = `apiVersion: v2
name: web
version: v1.2.3+up.1
appVersion: 1.10
description: "Serves <pages>\\u00a0&\\tmore\\n on two lines\\u0007"
home: https://web.example
icon: https://web.example/icon.png
type: application
kubeVersion: ">=1.25.0-0"
keywords: [web, server]
sources: [https://code.example/web, https://code.example/other]
maintainers:
  - name: Ann
    email: ann@web.example
    url: https://ann.example
  - name: Bob
deprecated: false
annotations:
  org.opencontainers.image.title: not this
  org.opencontainers.image.licenses: Apache-2.0
  artifacthub.io/changes: |
    - one
    - two
dependencies:
  - name: db
    version: ~1.2
    repository: https://charts.example
    condition: db.enabled
    alias: store
    tags: [back]
    import-values:
      - data
      - { child: a.b, parent: c }
  - name: local
    repository: ""
unknownField: dropped
`

let registry: DockerRegistry
let folder = ''
beforeAll(async () => {
  registry = await startDockerRegistry()
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-artifact-'))
})
afterAll(async () => {
  await registry.stop()
  await rm(folder, { recursive: true, force: true })
})

const tgz = layerOf({
  'web/Chart.yaml': CHART_YAML,
  'web/values.yaml': 'image: nginx:1\n',
  'web/templates/pod.yaml':
    'apiVersion: v1\nkind: Pod\nmetadata: { name: web }\nspec: { containers: [{ name: c, image: {{ .Values.image }} }] }\n',
})

const imageOf = ({ manifest, config, layers }: ChartArtifact): BuiltImage => ({
  mediaType: OCI_MANIFEST,
  raw: manifest.raw,
  digest: manifest.descriptor.digest,
  blobs: new Map([
    [digestOf(config), config],
    ...layers.map(({ descriptor, content }) => [descriptor.digest, content] as const),
  ]),
  children: [],
})

describe('packChart', () => {
  it('gives the same bytes each time', () => {
    const [one, two] = [packChart(tgz), packChart(new Uint8Array(tgz))]
    expect(one.manifest).toEqual(two.manifest)
    expect(digestOf(one.manifest.raw)).toBe(one.manifest.descriptor.digest)
    const manifest = parseManifest(one.manifest)
    expect(manifest.config).toMatchObject({
      mediaType: HELM_CONFIG,
      digest: digestOf(one.config),
      size: one.config.length,
    })
    expect(manifest.layers).toEqual([{ mediaType: HELM_CHART, digest: digestOf(tgz), size: tgz.length }])
    expect(JSON.stringify(manifest)).not.toContain('created')
  })

  it.each([
    [3, 'a chart', tgz],
    [4, 'a chart', tgz],
    [3, 'a chart of Helm 2', layerOf({ 'web/Chart.yaml': 'name: web\nversion: v1.2.3+up.1\n' })],
  ] as const)('writes what helm %i push writes of %s, but for the time', async (major, _, tgz) => {
    const helm = await helmBinary(major)
    const file = join(folder, 'web.tgz')
    await writeFile(file, tgz)
    await run(helm, ['push', file, `oci://${registry.host}/helm${major}`, '--plain-http'], { env: env() })
    const get = (path: string, accept: string) =>
      fetch(`http://${registry.host}/v2/helm${major}/web/${path}`, { headers: { accept } })
    const theirs = (await (await get('manifests/v1.2.3_up.1', OCI_MANIFEST)).json()) as TheirManifest
    const config = new Uint8Array(await (await get(`blobs/${theirs.config.digest}`, '*/*')).arrayBuffer())

    const ours = packChart(tgz)
    expect(new TextDecoder().decode(ours.config)).toBe(new TextDecoder().decode(config))
    const manifest = parseManifest(ours.manifest)
    expect(manifest.config?.digest).toBe(theirs.config.digest)
    expect(manifest.layers.map(({ digest, mediaType }) => [digest, mediaType])).toEqual(
      theirs.layers.map(({ digest, mediaType }) => [digest, mediaType]),
    )
    const { 'org.opencontainers.image.created': created, ...annotations } = theirs.annotations
    expect(created).toMatch(/^\d{4}-/)
    expect(manifest.annotations).toEqual(annotations)
  })

  it.each([3, 4] as const)('is pulled and shown by helm %i under all its tags', async (major) => {
    const helm = await helmBinary(major)
    const artifact = packChart(
      layerOf({ 'web/Chart.yaml': CHART_YAML.replace('+up.1', ''), 'web/values.yaml': '{}' }),
    )
    const tags = chartTags(artifact.metadata.version)
    expect(tags).toEqual(['1.2.3', 'v1.2.3'])
    for (const tag of tags)
      await pushImage(`http://${registry.host}`, `ours${major}/web`, tag, imageOf(artifact))
    for (const version of ['1.2.3', 'v1.2.3']) {
      const target = await mkdtemp(join(folder, 'pull-'))
      const url = `oci://${registry.host}/ours${major}/web`
      await run(helm, ['pull', url, '--version', version, '--plain-http', '-d', target], { env: env() })
      // Helm names the file after the tag it asked for.
      const pulled = await readFile(join(target, `web-${version}.tgz`))
      expect(digestOf(new Uint8Array(pulled))).toBe(artifact.layers[0]?.descriptor.digest)
      const shown = await run(helm, ['show', 'chart', url, '--version', version, '--plain-http'], {
        env: env(),
      })
      expect(shown.stdout).toContain('version: v1.2.3')
    }
  })

  it('keeps a provenance file, wherever its digest sorts it', async () => {
    const artifacts = Array.from({ length: 200 }, (_, at) =>
      packChart(tgz, undefined, new TextEncoder().encode(`-----BEGIN PGP SIGNED MESSAGE----- ${at}`)),
    )
    const firsts = new Set(artifacts.map(({ layers }) => layers[0]?.descriptor.mediaType))
    expect(firsts).toEqual(new Set([HELM_CHART, HELM_PROVENANCE]))
    for (const { manifest, layers } of artifacts) {
      expect(chartLayer(parseManifest(manifest)).digest).toBe(digestOf(tgz))
      expect(layers.map(({ descriptor }) => descriptor.digest)).toEqual(
        layers.map(({ descriptor }) => descriptor.digest).toSorted(),
      )
    }
  })
})

describe('chartLayer', () => {
  const manifestOf = (config: string, layer: string) => ({
    mediaType: OCI_MANIFEST,
    manifests: [],
    config: { mediaType: config, digest: digestOf('c'), size: 1 },
    layers: [{ mediaType: layer, digest: digestOf('l'), size: 1 }],
    annotations: {},
  })

  it('takes what Helm before 3.7 wrote', () => {
    expect(chartLayer(manifestOf(HELM_CONFIG, 'application/tar+gzip')).digest).toBe(digestOf('l'))
  })

  it('refuses an image that is listed as a chart', () => {
    expect(() => chartLayer(manifestOf(OCI_CONFIG, OCI_LAYER_GZIP), 'source oci://x/y')).toThrow(
      expect.objectContaining({
        kind: 'integrity',
        where: 'source oci://x/y',
        message: expect.stringContaining('not a Helm chart'),
      }),
    )
  })
})

interface TheirManifest {
  readonly config: { readonly digest: string }
  readonly layers: readonly { readonly digest: string; readonly mediaType: string }[]
  readonly annotations: Readonly<Record<string, string>>
}

/** Helm keeps its caches below these. */
const env = () => ({
  ...process.env,
  HELM_CACHE_HOME: folder,
  HELM_CONFIG_HOME: folder,
  HELM_DATA_HOME: folder,
})
