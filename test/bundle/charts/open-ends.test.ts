import { afterEach, describe, expect, it } from 'vitest'
import { discoveredSpec } from '../../../src/bundle/charts/discover.ts'
import { installOf } from '../../../src/bundle/charts/judge/install.ts'
import { closeAll, renderCharts } from '../../../src/bundle/charts/render-all.ts'
import type { RenderedChart } from '../../../src/bundle/charts/render.ts'
import { computeValues } from '../../../src/bundle/charts/values.ts'
import type { RootContents } from '../../../src/bundle/format/contents.ts'
import type { BundleEvent } from '../../../src/bundle/run/events.ts'
import { parseSpec } from '../../../src/bundle/spec/spec.ts'
import { createHelm } from '../../../src/helm/values/render/helm.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { chartYaml, deployment, packChart } from '../../support/charts/pack.ts'
import { helmBinary } from '../../support/helm.ts'

const NAME = 'shop'
const LAYOUT = { registry: 'private.example', path: '', prefix: 'mirrored', chartPrefix: 'charts' }

let open: readonly RenderedChart[] = []
afterEach(() => closeAll(open))

async function rendered(values: string, template: string, list = 'images: []\n') {
  const tgz = packChart(NAME, {
    'Chart.yaml': chartYaml(NAME),
    'values.yaml': values,
    'templates/all.yaml': template,
  })
  const spec = parseSpec(list, 'list.yaml')
  const events: BundleEvent[] = []
  const charts = [{ chart: NAME, name: `${NAME}:1.0.0`, tgz }]
  const found = await renderCharts(
    charts,
    {
      program: await createHelm(await helmBinary(4)),
      given: { consumer: [], consumerFiles: [], charts: new Map() },
      variants: [],
      spec,
    },
    { emit: (event) => events.push(event), signal: new AbortController().signal },
  )
  open = found.rendered
  const [chart] = found.rendered
  if (chart === undefined) throw new Error('it did not render')
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
  const valuesFor = (...images: string[]) =>
    computeValues(
      {
        name: 'list',
        spec,
        roots: [packaged, ...images.map(image)],
        bound: [chart.bound],
        packages: new Map([[NAME, tgz]]),
        install: installOf(spec, charts),
      },
      LAYOUT,
    )
  const specText = discoveredSpec('found', '1', [
    {
      chart: { name: NAME, version: '1.0.0', repository: 'https://charts.example', key: NAME },
      bound: chart.bound,
    },
  ])
  return { chart, warnings, valuesFor, specText }
}

const image = (name: string): RootContents => ({
  kind: 'image',
  name,
  digest: digestOf(new TextEncoder().encode(name)),
  size: 1,
  mediaType: OCI_MANIFEST,
  platforms: [],
})

const packaged: RootContents = {
  name: `${NAME}:1.0.0`,
  digest: digestOf(new Uint8Array()),
  size: 1,
  mediaType: OCI_MANIFEST,
  kind: 'chart',
  chart: NAME,
  version: '1.0.0',
  repository: 'https://charts.example',
}

const OPERATOR = deployment(
  'operator',
  '{{ .Values.image }}',
  '          env: [{name: WORKLOAD_REGISTRY, value: "{{ .Values.workloads.registry }}"}]\n',
)
const OPERATOR_VALUES = 'image: quay.io/team/operator:1.0\nworkloads: {registry: images.example.io}\n'

describe('a registry that stands alone', () => {
  it('is written once the bundle has images of it, and only then', async () => {
    const { valuesFor } = await rendered(OPERATOR_VALUES, OPERATOR)
    expect(valuesFor('quay.io/team/operator:1.0').charts.get(NAME)).not.toContain('images.example.io')
    expect(
      valuesFor('quay.io/team/operator:1.0', 'images.example.io/team/worker:2.0').charts.get(NAME),
    ).toContain('registry: private.example/mirrored/images.example.io\n')
  })

  it('is named as unknown, refuses no list, and a hint as the remedy says accepts it', async () => {
    const { chart, specText } = await rendered(OPERATOR_VALUES, OPERATOR)
    expect(specText).toContain('images.example.io/  (Deployment/operator')
    const proof = await chart.prove([image('quay.io/team/operator:1.0')])
    const [one, ...more] = proof.open
    expect(more).toEqual([])
    expect(one).toMatchObject({ reference: 'images.example.io/', need: 'unknown' })
    const [, reference, action] = /reference: (\S+), action: (\w+)/.exec(one?.remedy ?? '') ?? []
    await closeAll(open)
    const accepting = await rendered(
      OPERATOR_VALUES,
      OPERATOR,
      `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: a\nversion: "1"\ngroups: [{name: a, charts: [{name: ${NAME}, version: 1.0.0, repository: "https://charts.example"}]}]\nhints:\n  ${NAME}: [{reference: ${reference ?? ''}, where: env, action: ${action ?? ''}, reason: not used here}]\n`,
    )
    const again = await accepting.chart.prove([image('quay.io/team/operator:1.0')])
    expect(again.open).toEqual([])
    expect(again.accepted).toEqual([{ reference: 'images.example.io/', reason: 'not used here' }])
  })
})

describe('a default that depends on another value', () => {
  it('is told with the override', async () => {
    const { valuesFor } = await rendered(
      'license: ""\nimage: {repository: "", tag: "1.0"}\n',
      deployment(
        'app',
        '{{ .Values.image.repository | default (ternary "quay.io/team/free" "quay.io/team/paid" (empty .Values.license)) }}:{{ .Values.image.tag }}',
      ),
    )
    const { relies, charts } = valuesFor('quay.io/team/free:1.0')
    expect(relies).toEqual([
      {
        chart: NAME,
        text: 'image stands for quay.io/team/free:1.0 while license is not set; with license set the chart has quay.io/team/paid:1.0 there: set it by hand then',
      },
    ])
    expect(charts.get(NAME)).toContain('# image stands for quay.io/team/free:1.0 while license is not set')
    expect(valuesFor('quay.io/team/other:1.0').relies).toEqual([])
  })
})

describe('a chart that refuses its own values', () => {
  it('says so, and prints nothing that was made up', async () => {
    const { warnings, chart, specText } = await rendered(
      'host: ""\ncluster: ""\n',
      `{{- if not .Values.cluster }}{{ fail "set 'cluster' to the name of your cluster" }}{{ end }}
${deployment('app', 'quay.io/team/app:1.0')}---
${deployment('own', '{{ required "set .Values.host" .Values.host }}/team/own:1.0')}`,
    )
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/made-up values for .*cluster/)
    expect(warnings[0]).toContain("set 'cluster' to the name of your cluster")
    expect(chart.bound.refusal?.instead).toBe('filled')
    expect(specText).toContain('quay.io/team/app:1.0')
    expect(specText).not.toMatch(/madeup|\/team\/own/)
    const proof = await chart.prove([image('quay.io/team/app:1.0')])
    expect(JSON.stringify(proof)).not.toContain('madeup')
    expect(proof.open.filter(({ need }) => need !== 'needed')).toMatchObject([
      {
        at: expect.stringContaining('Deployment/own'),
        remedy: expect.stringContaining(`--values ${NAME}=<file>`),
      },
    ])
  })
})

describe('what did not land', () => {
  it('stands in the discovered spec, with its reason', async () => {
    const { chart, specText } = await rendered(
      'image: {repository: team/app, tag: "1.0"}\n',
      deployment('app', 'quay.io/{{ .Values.image.repository }}:{{ .Values.image.tag }}'),
    )
    expect(chart.bound.bindings).toEqual([])
    expect(specText).toMatch(/images:\n\s+- quay\.io\/team\/app:1\.0/)
    expect(specText).toMatch(/hints:[\s\S]*reference: quay\.io\/team\/app:1\.0[\s\S]*reason: .*image/)
    const proof = await chart.prove([image('quay.io/team/app:1.0')])
    expect(proof.open).toMatchObject([
      { reference: 'quay.io/team/app:1.0', verdict: 'unreachable', need: 'needed' },
    ])
  })
})
