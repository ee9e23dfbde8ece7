import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { loadLists } from '../../src/bundle/spec/lists/load.ts'
import { formatReference } from '../../src/oci/reference.ts'
import { chartYaml, deployment, packChart } from '../support/charts/pack.ts'
import { helmBinary } from '../support/helm.ts'
import { runShell } from '../support/shell.ts'

let folder: string
const at = (name: string): string => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-discover-lists-'))
  writeFileSync(
    at('spec.yaml'),
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: Shop_1
version: '1'
groups:
  - name: shop
    charts: [ { name: shop, version: 1.4.0, repository: "oci://registry.example/charts" } ]
    images: [ "registry.example/shop/api:2.0.1", "quay.io/demo/web:3" ]
    files: [ { name: tool.sh, url: "https://files.example/tool.sh" } ]
  - name: more
    images: [ { reference: "quay.io/demo/arm:1", platforms: [linux/arm64] } ]
`,
  )
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const read = async (text: string): Promise<readonly string[]> => {
  const { spec } = await loadLists({
    specs: ['-'],
    images: [],
    charts: [],
    stdin: () => Promise.resolve(new TextEncoder().encode(text)),
  })
  return spec.groups.flatMap(({ images, charts, files }) => [
    ...images.map(({ reference }) => formatReference(reference)),
    ...charts.map(({ name, version, repository }) => `${name}@${version}=${repository}`),
    ...files.map(({ url }) => url),
  ])
}

describe('discover of lists and manifests', () => {
  it('prints a spec of Kubernetes objects without any helm', async () => {
    const pod = `apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { containers: [ { name: c, image: "quay.io/demo/web:3" } ] }\n`
    const found = await runShell(['discover', '-'], { stdin: pod, env: { PATH: folder } })
    expect(found).toMatchObject({ code: 0, stderr: '' })
    expect(found.stdout).toContain('kind: BundleSpec')
    expect(await read(found.stdout)).toEqual(['quay.io/demo/web:3'])
  })

  it('renders the charts that manifests name beside their own images', async () => {
    const helm = await helmBinary(4)
    writeFileSync(
      at('shop.tgz'),
      packChart('shop', {
        'Chart.yaml': chartYaml('shop'),
        'values.yaml': 'image: quay.io/demo/api:5\n',
        'templates/api.yaml': deployment('api', '{{ .Values.image }}'),
      }),
    )
    writeFileSync(at('list.txt'), 'quay.io/demo/extra:1\n')
    const found = await runShell([
      'discover',
      at('shop.tgz'),
      at('list.txt'),
      '--helm',
      helm,
      '--format',
      'text',
    ])
    expect(found).toMatchObject({ code: 0 })
    expect(found.stdout.split('\n')).toEqual(
      expect.arrayContaining(['quay.io/demo/api:5', 'quay.io/demo/extra:1']),
    )
  })

  it('writes the lists of others, which read back to the same', async () => {
    const images = 'images: ["registry.example/shop/api:2.0.1", "quay.io/demo/web:3"]\n'
    writeFileSync(at('images.yaml'), images)
    for (const format of ['text', 'hauler', 'zarf', 'spec']) {
      const written = await runShell(['discover', at('images.yaml'), '--format', format])
      expect(written).toMatchObject({ code: 0, stderr: '' })
      expect(await read(written.stdout)).toEqual(['registry.example/shop/api:2.0.1', 'quay.io/demo/web:3'])
    }
    const hauler = await runShell(['discover', at('images.yaml'), '--format', 'hauler'])
    expect(parseAllDocuments(hauler.stdout).map((one) => one.toJS() as unknown)).toEqual([
      {
        apiVersion: 'content.hauler.cattle.io/v1',
        kind: 'Images',
        metadata: { name: 'discovered' },
        spec: { images: [{ name: 'registry.example/shop/api:2.0.1' }, { name: 'quay.io/demo/web:3' }] },
      },
    ])
    const zarf = await runShell(['discover', at('images.yaml'), '--format', 'zarf'])
    expect(parseAllDocuments(zarf.stdout)[0]?.toJS()).toMatchObject({
      apiVersion: 'zarf.dev/v1alpha1',
      kind: 'ZarfPackageConfig',
      components: [
        { name: 'images', required: true, images: ['registry.example/shop/api:2.0.1', 'quay.io/demo/web:3'] },
      ],
    })
  })

  it('turns one list into another without a helm, and says that the charts were not rendered', async () => {
    const turned = await runShell(['discover', at('spec.yaml'), '--format', 'hauler'], {
      env: { PATH: folder },
    })
    expect(turned).toMatchObject({ code: 0 })
    expect(turned.stderr).toContain('there is no helm to render with: the charts are listed as they were')
    expect(await read(turned.stdout)).toEqual([
      'registry.example/shop/api:2.0.1',
      'quay.io/demo/web:3',
      'quay.io/demo/arm:1',
      'shop@1.4.0=oci://registry.example/charts',
      'https://files.example/tool.sh',
    ])
  })
})
