import { describe, expect, it } from 'vitest'
import { findOperands } from '../../../src/helm/values/operator/operands.ts'
import { chartYaml, deployment, packChart } from '../../support/charts/pack.ts'

const SHOP = `{{- if .Values.crds.enabled }}
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: shops.trade.example
  labels:
    {{- include "labels" . | nindent 4 }}
spec:
  group: trade.example
  names:
    plural: shops
    kind: Shop
  scope: Namespaced
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        description: |-
          Something like
          image: quay.io/not/this:1
        properties:
          kind:
            type: string
          spec:
            properties:
              image:
                default: quay.io/trade/shop:4.2
                description: What runs. It may span lines, as
                  image: quay.io/nor/this:1
                type: string
              default:
                description: a property of that name
                type: string
              backup:
                default:
                  image: "ghcr.io/trade/backup:1.1"
                  pullPolicy: Always
                properties:
                  image:
                    type: string
                  schedule:
                    default: "0 3 * * *"
                    type: string
              sidecars:
                items:
                  properties:
                    image:
                      type: string
                type: array
              imagePullSecrets:
                items:
                  type: string
                type: array
              volumes:
                items:
                  properties:
                    image:
                      type: object
                type: array
            type: object
          status:
            properties:
              image:
                type: string
{{- end }}
`

const TICKET = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: tickets.trade.example
spec:
  group: trade.example
  names:
    kind: Ticket
  versions:
  - schema:
      openAPIV3Schema:
        properties:
          spec:
            properties:
              url:
                default: https://trade.example/v1
                type: string
`

const README = `# Shop
\`\`\`yaml
apiVersion: trade.example/v1
kind: Shop
metadata: {name: in-the-text}
spec: {image: quay.io/trade/shop:4.1}
\`\`\`
\`\`\`yaml
image: {repository: quay.io/of/values}
\`\`\`
`

const ANNOTATIONS = `annotations:
  artifacthub.io/images: |
    - name: exporter
      image: quay.io/trade/exporter:2
  artifacthub.io/crdsExamples: |
    - apiVersion: trade.example/v1
      kind: Shop
      metadata: {name: listed}
      spec: {image: quay.io/trade/shop:4.0}
`

describe('operands of a chart', () => {
  it('are what its definitions, examples and authors tell of them', () => {
    const found = findOperands(
      packChart('operator', {
        'Chart.yaml': `${chartYaml('operator')}${ANNOTATIONS}`,
        'values.yaml': '',
        'templates/shop.yaml': SHOP,
        'templates/app.yaml': deployment('app', 'quay.io/trade/operator:1'),
        'crds/ticket.yaml': TICKET,
        'README.md': README,
        'examples/large.yaml':
          'apiVersion: trade.example/v1\nkind: Shop\nmetadata: {name: large}\nspec: {sidecars: [{image: "quay.io/trade/cart:9"}]}\n---\nkind: Pod\nspec: {containers: [{image: "quay.io/no/example:1"}]}\n',
      }),
    )
    expect(found?.kinds.map(({ kind, group, runsPods }) => [kind, group, runsPods])).toEqual([
      ['Shop', 'trade.example', true],
      ['Ticket', 'trade.example', false],
    ])
    expect(found?.kinds[0]?.fields).toEqual(['.spec.image', '.spec.backup.image', '.spec.sidecars[].image'])
    expect(found?.kinds[1]?.fields).toEqual([])
    expect(found?.shown).toEqual([
      { reference: 'quay.io/trade/shop:4.2', at: 'default of Shop .spec.image' },
      { reference: 'ghcr.io/trade/backup:1.1', at: 'default of Shop .spec.backup.image' },
      { reference: 'quay.io/trade/exporter:2', at: 'the list of images in Chart.yaml' },
      { reference: 'quay.io/trade/shop:4.0', at: 'Chart.yaml: Shop/listed .spec.image' },
      { reference: 'quay.io/trade/shop:4.1', at: 'README.md: Shop/in-the-text .spec.image' },
      { reference: 'quay.io/trade/cart:9', at: 'examples/large.yaml: Shop/large .spec.sidecars[0].image' },
    ])
  })

  it('are none of a chart that defines no kinds', () => {
    expect(
      findOperands(
        packChart('plain', {
          'Chart.yaml': chartYaml('plain'),
          'README.md': README,
          'templates/app.yaml': deployment('app', 'quay.io/team/app:1'),
        }),
      ),
    ).toBeUndefined()
  })

  it('come from text that no parser would get through in time', () => {
    const deep = `${' '.repeat(12)}properties:\n${Array.from({ length: 200 }, (_, at) => `${' '.repeat(14 + at * 2)}properties:\n`).join('')}`
    const long = `${TICKET}${`${' '.repeat(14)}image: {type: string}\n`.repeat(50_000)}${deep}`
    const found = findOperands(packChart('long', { 'Chart.yaml': chartYaml('long'), 'crds/long.yaml': long }))
    expect(found?.kinds.map(({ kind }) => kind)).toEqual(['Ticket'])
    expect(found?.kinds[0]?.fields.length).toBeLessThanOrEqual(6)
  })
})
