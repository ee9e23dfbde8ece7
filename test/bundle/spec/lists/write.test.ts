import { describe, expect, it } from 'vitest'
import { LIST_FORMATS, writeList } from '../../../../src/bundle/spec/lists/write.ts'
import { parseSpec } from '../../../../src/bundle/spec/spec.ts'
import { readLists } from './read-lists.ts'

const SPEC = parseSpec(
  `apiVersion: ma-bundle/v1
kind: BundleSpec
name: Shop_1
version: '1'
groups:
  - name: shop_group
    charts:
      - { name: shop, version: 1.4.0, repository: "oci://registry.example/charts" }
      - { name: web, version: 2.0.0, repository: "https://charts.example" }
    images: [ "registry.example/shop/api:2.0.1", { reference: "quay.io/demo/arm:1", platforms: [linux/arm64] } ]
    files: [ { name: tool.sh, url: "https://files.example/tool.sh", sha256: "${'ab'.repeat(32)}" } ]
`,
  'spec.yaml',
)
const CHARTS = ['shop@1.4.0=oci://registry.example/charts', 'web@2.0.0=https://charts.example']

describe('writeList', () => {
  it.each([
    ['text', [], [], ['registry.example/shop/api:2.0.1', 'quay.io/demo/arm:1']],
    [
      'hauler',
      CHARTS,
      ['tool.sh https://files.example/tool.sh'],
      ['registry.example/shop/api:2.0.1', 'quay.io/demo/arm:1 [linux/arm64]'],
    ],
    [
      'zarf',
      CHARTS,
      ['tool.sh https://files.example/tool.sh'],
      ['registry.example/shop/api:2.0.1', 'quay.io/demo/arm:1'],
    ],
  ] as const)('writes %s, which is read back to the same', async (format, charts, files, images) => {
    const { text } = writeList(format, SPEC)
    expect(await readLists({ list: text })).toMatchObject({ images, charts, files, notTaken: [] })
  })

  it('names what a list cannot say', () => {
    const lost = Object.fromEntries(LIST_FORMATS.map((format) => [format, writeList(format, SPEC).lost]))
    expect(lost).toEqual({
      text: [
        'quay.io/demo/arm:1 is for linux/arm64',
        'the chart shop 1.4.0 is a comment',
        'the chart web 2.0.0 is a comment',
        'the file tool.sh is a comment',
      ],
      hauler: ['the sha256 of tool.sh'],
      zarf: ['quay.io/demo/arm:1 is for linux/arm64: a package has one architecture'],
    })
  })
})
