import { describe, expect, it } from 'vitest'
import { shareObjects, withObjects, withOperands } from '../../../src/bundle/charts/judge/objects.ts'
import { staticChart } from '../../../src/bundle/charts/judge/unrendered.ts'
import type { BoundChart } from '../../../src/bundle/format/charts/bound-chart.ts'
import { createDocuments } from '../../../src/helm/values/render/documents.ts'
import { chartYaml, deployment, packChart } from '../../support/charts/pack.ts'

const CRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.trade.example}
spec:
  group: trade.example
  names:
    kind: Shop
  versions:
  - schema:
      openAPIV3Schema:
        properties:
          spec:
            properties:
              image:
                type: string
`

const packed = (template: string): Uint8Array =>
  packChart('operator', {
    'Chart.yaml': chartYaml('operator'),
    'values.yaml': '',
    'crds/shop.yaml': CRD,
    'templates/all.yaml': template,
  })

const objects = (file: string, text: string) => ({ file, documents: createDocuments()(`\n${text}`) })

const bound = (uses: NonNullable<BoundChart['uses']>): BoundChart => ({
  chart: 'operator',
  version: '1.0.0',
  rendered: true,
  bindings: [],
  notLanded: [],
  unreachable: [],
  uses,
})

const waiting = (reference: string) =>
  ({ reference, at: 'Deployment/operator env', need: 'on-demand', when: 'a Shop asks for it' }) as const

describe('a chart that no helm renders', () => {
  it('is known for an operator when it defines kinds and has something that runs', () => {
    const own = { layers: [] }
    expect(staticChart(packed(deployment('operator', 'quay.io/trade/operator:1')), own).operands).toEqual([
      { kind: 'Shop', fields: ['.spec.image'] },
    ])
    expect(staticChart(packed('kind: ConfigMap\nmetadata: {name: a}\n'), own)).not.toHaveProperty('operands')
  })
})

describe('objects of the user', () => {
  it('need what they name, and of what a controller picks by version the ones they ask for', () => {
    const given = objects(
      'mine.yaml',
      'kind: Shop\nmetadata: {name: mine}\nspec: {version: 2.0.1, image: "quay.io/mine/shop:7", schemaVersion: later}\n',
    )
    const { uses } = withObjects(
      bound([
        waiting('quay.io/trade/shop:9.9-shop-2.0.1'),
        waiting('quay.io/trade/shop:9.9-shop-2.0.10'),
        waiting('quay.io/trade/shop:2.0.1'),
        { ...waiting('quay.io/trade/off:2.0.1'), when: 'extra is true' },
      ]),
      [given],
    )
    expect(uses?.map(({ reference, need, at }) => [reference, need, at])).toEqual([
      ['quay.io/mine/shop:7', 'needed', 'Shop/mine spec.image (mine.yaml)'],
      ['quay.io/trade/shop:9.9-shop-2.0.1', 'needed', 'Deployment/operator env, for Shop/mine (mine.yaml)'],
      ['quay.io/trade/shop:2.0.1', 'needed', 'Deployment/operator env, for Shop/mine (mine.yaml)'],
      ['quay.io/trade/shop:9.9-shop-2.0.10', 'on-demand', 'Deployment/operator env'],
      ['quay.io/trade/off:2.0.1', 'on-demand', 'Deployment/operator env'],
    ])
  })

  it('belong to the chart that defines their kind, else to the last resort', () => {
    const both = objects(
      'both.yaml',
      'kind: Shop\nmetadata: {name: a}\n---\nkind: Market\nmetadata: {name: b}\n',
    )
    const { byChart, unclaimed } = shareObjects(
      [both],
      new Map([['operator', new Set(['Shop'])]]),
      'umbrella',
    )
    expect(byChart.get('operator')?.flatMap(({ documents }) => documents.map(({ kind }) => kind))).toEqual([
      'Shop',
    ])
    expect(byChart.get('umbrella')?.flatMap(({ documents }) => documents.map(({ kind }) => kind))).toEqual([
      'Market',
    ])
    expect(unclaimed).toEqual(['Market'])
  })

  it('change nothing where there are none', () => {
    const plain = bound([waiting('quay.io/trade/shop:1')])
    expect(withObjects(plain, [])).toBe(plain)
    expect(withOperands(plain, undefined, true)).toBe(plain)
  })
})
