import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runShell } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let charts: EmbeddedSource
const at = (name: string): string => join(folder, name)

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const parse = (raw: Uint8Array): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(raw)) as Record<string, unknown>

function referring(to: BuiltImage, artifactType: string): BuiltImage {
  const built = buildImage([layerOf({ about: to.digest })])
  const subject = { mediaType: to.mediaType, digest: to.digest, size: to.raw.length }
  const raw = encode({ ...parse(built.raw), artifactType, subject })
  return { ...built, raw, digest: digestOf(raw) }
}

const web = buildImage([layerOf({ web: noise(900, 1) })], {
  annotations: { 'org.opencontainers.image.licenses': 'MIT | <b>\n| image | evil |' },
})
const amd = buildImage([layerOf({ api: noise(900, 2) })], { platform: 'linux/amd64' })
const provenance = buildImage([layerOf({ provenance: 'slsa' })], { platform: 'unknown/unknown' })
const bare = buildImage([layerOf({ bare: noise(900, 3) })])
const sbom = referring(web, 'application/spdx+json')
const cosign = buildImage([layerOf({ signature: 'cosign' })])
const overSbom = referring(sbom, 'application/vnd.cncf.notary.signature')

/** As BuildKit writes it: an attestation beside the image it is about. */
function withProvenance(): BuiltImage {
  const index = buildIndex([amd, provenance])
  const json = parse(index.raw)
  const [first, second] = json['manifests'] as Record<string, unknown>[]
  const raw = encode({
    ...json,
    manifests: [
      first,
      {
        ...second,
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': amd.digest,
        },
      },
    ],
  })
  return { ...index, raw, digest: digestOf(raw) }
}
const api = withProvenance()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'report-'))
  const metadata = { apiVersion: 'v2', name: 'shop', version: '1.0.0' }
  const list = (...ones: readonly BuiltImage[]): BuiltImage => ({ ...buildIndex(ones), mediaType: OCI_INDEX })
  const images: Record<string, BuiltImage> = {
    'team/web:1': web,
    'team/api:1': api,
    'team/bare:1': bare,
    [`team/web:sha256-${web.digest.slice(7)}.sig`]: cosign,
    [`team/web:sha256-${web.digest.slice(7)}`]: list(sbom),
    [`team/web:sha256-${sbom.digest.slice(7)}`]: list(overSbom),
  }
  source = await startSource({ images })
  const tgz = layerOf({
    'shop/Chart.yaml': JSON.stringify(metadata),
    'shop/values.yaml': `image: ${source.host}/team/web\n`,
    'shop/templates/pod.yaml': `apiVersion: v1
kind: Pod
metadata: { name: shop }
spec:
  containers:
    - { name: web, image: "{{ .Values.image }}:1" }
    - { name: fixed, image: "${source.host}/team/bare:1" }
`,
  })
  charts = await startSource({ images: {}, charts: [{ name: 'shop', version: '1.0.0', metadata, tgz }] })
  writeFileSync(
    at('spec.yaml'),
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: shop
version: 2.0.0
groups:
  - name: all
    images: [${source.host}/team/web:1, ${source.host}/team/api:1, ${source.host}/team/bare:1]
    charts: [{ name: shop, version: 1.0.0, repository: 'http://${charts.host}/charts' }]
`,
  )
})
afterAll(async () => {
  await Promise.all([source.stop(), charts.stop()])
  rmSync(folder, { recursive: true })
})

async function reported(name: string, ...flags: readonly string[]) {
  const args = [
    'export',
    at(name),
    '--spec',
    at('spec.yaml'),
    '--allow-missing-platform',
    '--referrers',
    ...flags,
  ]
  const exported = await runShell(args)
  expect(exported.code, exported.stderr).toBe(0)
  const { code, stderr } = await runShell(['report', at(name)])
  expect(code, stderr).toBe(0)
  const text = readFileSync(at(`${name}.report.md`), 'utf8')
  const json = JSON.parse(readFileSync(at(`${name}.report.json`), 'utf8')) as Record<string, unknown>
  return { text, json }
}

describe('the report', () => {
  it('lists what is carried about the images, by tag, by subject and in the index', async () => {
    const { text, json } = await reported('a.tar', '--platform', 'all', '--no-prove')
    const name = (tag: string) => `${source.host}/team/${tag}`
    expect(json).toMatchObject({ format: 'ma-bundle-report/1', tool: expect.stringMatching(/^ma-bundle \d/) })
    expect(json['attached']).toEqual([
      {
        of: name('api:1'),
        about: amd.digest,
        type: 'attestation',
        name: name('api:1'),
        digest: provenance.digest,
      },
      {
        of: name('web:1'),
        about: web.digest,
        type: 'signature',
        name: name(`web:sha256-${web.digest.slice(7)}.sig`),
        digest: cosign.digest,
      },
      {
        of: name('web:1'),
        about: web.digest,
        type: 'application/spdx+json',
        name: name(`web@${sbom.digest}`),
        digest: sbom.digest,
      },
      {
        of: name(`web@${sbom.digest}`),
        about: sbom.digest,
        type: 'application/vnd.cncf.notary.signature',
        name: name(`web@${overSbom.digest}`),
        digest: overSbom.digest,
      },
    ])
    expect(text).toContain('2 of 3 images come with any.')
    expect(text).toContain(`| ${name('web:1')} | ${web.digest} | signature |`)
    expect(json).toMatchObject({ verdict: 'none', absent: { count: 0, bytes: 0 } })
    expect(text).toContain('Proof: none')
  })

  it('lets nothing of what strangers wrote out of its cell', async () => {
    const { text } = await reported('b.tar', '--no-prove')
    expect(text).toContain('MIT \\| &lt;b> \\| image \\| evil \\|')
    expect(text.split('\n').filter((line) => line.startsWith('| image |'))).toHaveLength(6)
  })

  it('tells the verdict, and every reference that stays open with its remedy', async () => {
    const { text, json } = await reported('c.tar', '--helm', await helmBinary(3))
    expect(json).toMatchObject({ verdict: 'open', proof: [{ chart: 'shop', boundCount: 1 }] })
    expect(text).toContain(`Proof: 1 reference of 1 chart bound, 1 NOT bound: ${source.host}/team/bare:1.`)
    expect(text).toMatch(
      new RegExp(`\\| shop \\| 1\\.0\\.0 \\| ${source.host}/team/bare:1 \\| needed \\| unreachable: Pod/`),
    )
  })

  it('is the same for the same bundle, wherever it lies', async () => {
    await reported('d.tar', '--no-prove')
    execFileSync('bash', ['-c', `mkdir '${at('else')}' && cp '${at('d.tar')}' '${at('else/other.tar')}'`])
    expect((await runShell(['report', at('else/other.tar')])).code).toBe(0)
    for (const kind of ['json', 'md'])
      expect(readFileSync(at(`else/other.tar.report.${kind}`), 'utf8')).toBe(
        readFileSync(at(`d.tar.report.${kind}`), 'utf8'),
      )
  })
})
