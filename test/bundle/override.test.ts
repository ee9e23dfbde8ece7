import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadSpec } from '../../src/bundle/spec/bundled.ts'
import { chartsThere, consumerOf } from '../../src/bundle/charts/override-charts.ts'
import {
  chartValues,
  umbrellaOverride,
  type ChartThere,
  type Override,
} from '../../src/bundle/charts/override.ts'
import { imagesOf, nameOf, parseSpec, selectGroups, type Consumer } from '../../src/bundle/spec/spec.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { helmBinary } from '../support/helm.ts'

const run = promisify(execFile)
const REGISTRY = '123456789012.dkr.ecr.us-east-1.amazonaws.com'
const layout = { registry: REGISTRY, path: '', prefix: 'mirrored', chartPrefix: 'charts' }
const MIRRORED = `${REGISTRY}/mirrored`

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-override-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What the import of a bundled spec would write, cert-manager's Chart.yaml having its v. */
async function overrideOf(name: string, without: readonly string[] = []): Promise<Override> {
  const { spec } = await loadSpec(name)
  const selected = selectGroups(spec, [], without)
  const charts = selected
    .flatMap((group) => group.charts)
    .map(({ name, version }) => ({ name, version: name === 'cert-manager' ? `v${version}` : version }))
  const consumer = consumerOf(spec)
  if (consumer === undefined) throw new Error('no consumer')
  return umbrellaOverride(consumer, chartsThere(spec, charts), imagesOf(selected).map(nameOf), layout, [
    'Made by a test',
  ])
}

const at = (values: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], values)

describe('the umbrella override', () => {
  it('of 3.3.6 names every chart, and its images in the chart’s own shape', async () => {
    const values: unknown = parse((await overrideOf('migration-assistant-3.3.6')).yaml)
    expect(at(values, 'ecrAuth.registry')).toBe(REGISTRY)
    expect(Object.keys(at(values, 'charts') as object)).toHaveLength(15)
    const chart = (path: string) => at(values, `charts.${path}`)
    expect(chart('cert-manager.repository')).toBe(`oci://${REGISTRY}/charts/cert-manager`)
    expect(chart('cert-manager.version')).toBe('v1.17.2')
    expect(chart('ack-acmpca-controller')).toEqual({
      repository: `oci://${REGISTRY}/charts/acmpca-chart`,
      version: '1.2.2',
      values: { image: { repository: `${MIRRORED}/public.ecr.aws/aws-controllers-k8s/acmpca-controller` } },
    })
    expect(chart('kyverno.values.admissionController.container.image')).toEqual({
      registry: `${MIRRORED}/reg.kyverno.io`,
    })
    expect(chart('jaeger.values.agent.image')).toEqual({ registry: `${MIRRORED}/mirror.gcr.io` })
    expect(chart('jaeger.values.cassandra.image')).toEqual({
      repo: `${MIRRORED}/mirror.gcr.io/library/cassandra`,
    })
    expect(chart('grafana.values.image')).toEqual({ registry: `${MIRRORED}/mirror.gcr.io`, tag: '11.6.13' })
    // The consumer sets this tag already, in its values for the stack.
    expect(chart('kube-prometheus-stack.values.grafana.image')).toEqual({
      registry: `${MIRRORED}/mirror.gcr.io`,
    })
    expect(chart('opentelemetry-operator.values.manager.collectorImage')).toEqual({
      repository: `${MIRRORED}/public.ecr.aws/aws-observability/aws-otel-collector`,
      tag: 'v0.43.3',
    })
    // Writing it would switch a sidecar on.
    expect(chart('kube-prometheus-stack.values.prometheus.prometheusSpec')).toEqual({
      image: { registry: `${MIRRORED}/quay.io` },
    })
    expect(chart('kube-prometheus-stack.values.prometheusOperator.thanosImage')).toEqual({
      registry: `${MIRRORED}/quay.io`,
    })
    expect(at(values, 'otelCollectorImage')).toBe(
      `${MIRRORED}/public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3`,
    )
    expect(at(values, 'defaultBucketConfiguration.bucketOperationImage')).toBe(
      `${MIRRORED}/mirror.gcr.io/amazon/aws-cli:2.25.11`,
    )
    expect(at(values, 'images.coordinatorCluster')).toEqual({
      repository: `${MIRRORED}/mirror.gcr.io/opensearchproject/opensearch`,
    })
  })

  it('of 2.6.4 writes the tag where consumer and list differ', async () => {
    const values: unknown = parse((await overrideOf('migration-assistant-2.6.4', ['unlisted'])).yaml)
    expect(Object.keys(at(values, 'charts') as object)).toHaveLength(11)
    expect(at(values, 'charts.argo-workflows.values')).toEqual({
      controller: { image: { registry: `${MIRRORED}/quay.io`, tag: 'v3.7.8' } },
      executor: { image: { registry: `${MIRRORED}/quay.io`, tag: 'v3.7.8' } },
      server: { image: { registry: `${MIRRORED}/quay.io`, tag: 'v3.7.8' } },
    })
    expect(at(values, 'charts.localstack.values.image')).toEqual({
      repository: `${MIRRORED}/docker.io/localstack/localstack`,
      tag: 'latest',
    })
    expect(at(values, 'charts.etcd-operator.values.etcdOperator.image')).toEqual({
      repository: `${MIRRORED}/ghcr.io/aenix-io/etcd-operator`,
    })
    // Its chart has no such value.
    expect(at(values, 'otelCollectorImage')).toBeUndefined()
  })

  it('names the consumer’s own images', async () => {
    const values: unknown = parse((await overrideOf('migration-assistant-3.3.6')).yaml)
    const image = (name: string) => ({
      repository: `${MIRRORED}/public.ecr.aws/opensearchproject/opensearch-migrations-${name}`,
      tag: '3.3.6',
    })
    expect(at(values, 'images')).toMatchObject({
      captureProxy: image('traffic-capture-proxy'),
      trafficReplayer: image('traffic-replayer'),
      reindexFromSnapshot: image('reindex-from-snapshot'),
      migrationConsole: image('console'),
      installer: image('console'),
    })
  })

  it.each(['2.6.4', '3.3.6'])(
    'of %s names nothing outside of the private registry, and tells what it leaves',
    async (version) => {
      const { yaml, unbound } = await overrideOf(`migration-assistant-${version}`, [
        'migration-assistant',
        'unlisted',
      ])
      const named = namesIn(parse(yaml))
      expect(named.length).toBeGreaterThan(60)
      expect(named.filter((name) => !name.replace('oci://', '').startsWith(`${REGISTRY}/`))).toEqual([])
      expect(unbound).toContainEqual({
        chart: 'cert-manager',
        path: 'acmesolver.image',
        reference: 'quay.io/jetstack/cert-manager-acmesolver:v1.17.2',
        reason: 'the bundle does not have it',
        off: false,
      })
      expect(
        unbound.filter(({ chart }) => chart === 'migration-assistant').map(({ path }) => path),
      ).toContain('images.installer')
    },
  )

  it('leaves nothing that is pulled by default, but versions nobody asks for', async () => {
    const { unbound } = await overrideOf('migration-assistant-2.6.4')
    expect([...new Set(unbound.filter(({ off }) => !off).map(({ reference }) => reference))]).toEqual([
      'quay.io/strimzi/kafka:0.47.0-kafka-3.9.1',
    ])
  })

  it('is the same each time', async () => {
    expect((await overrideOf('migration-assistant-3.3.6')).yaml).toBe(
      (await overrideOf('migration-assistant-3.3.6')).yaml,
    )
  })

  it('is made for the list that Migration Assistant ships, too', () => {
    const spec = parseSpec(
      `charts: ["cert-manager|1.17.2|https://charts.jetstack.io", "acmpca-chart|1.2.2|oci://public.ecr.aws/aws-controllers-k8s"]
images: ["quay.io/jetstack/cert-manager-webhook:v1.17.2"]
`,
      'private-ecr-manifest.yaml',
    )
    const charts = chartsThere(spec, [
      { name: 'cert-manager', version: 'v1.17.2' },
      { name: 'acmpca-chart', version: '1.2.2' },
    ])
    const { yaml } = umbrellaOverride(
      consumerOf(spec) ?? CONSUMER,
      charts,
      imagesOf(spec.groups).map(nameOf),
      layout,
    )
    expect(yaml).toBe(`ecrAuth:
  registry: ${REGISTRY}
charts:
  cert-manager:
    repository: oci://${REGISTRY}/charts/cert-manager
    version: v1.17.2
    values:
      webhook:
        image:
          repository: ${MIRRORED}/quay.io/jetstack/cert-manager-webhook
  ack-acmpca-controller:
    repository: oci://${REGISTRY}/charts/acmpca-chart
    version: "1.2.2"
`)
  })

  it('takes values that were found for a chart as they are', () => {
    const chart = {
      name: 'x',
      key: 'x',
      version: '1.0.0+a',
      bindings: [],
      values: { list: [{ image: 'a', n: '1.10' }] },
    }
    const { yaml } = umbrellaOverride(CONSUMER, [chart], [], layout)
    expect(parse(yaml)).toEqual({
      global: { registry: REGISTRY },
      parts: {
        x: {
          repository: `oci://${REGISTRY}/charts/x`,
          // What helm asks for; of the tag's underscore it says "improper constraint".
          version: '1.0.0+a',
          values: { list: [{ image: 'a', n: '1.10' }] },
        },
      },
    })
  })
})

const CONSUMER: Consumer = {
  chart: 'consumer',
  registryAt: 'global.registry',
  chartsAt: 'parts',
  values: [],
  bindings: [],
  sets: new Map(),
}

/** One place of each shape, rendered as real charts do. */
const SHAPES: ChartThere = {
  name: 'shapes',
  key: 'shapes',
  version: '1.0.0',
  bindings: [
    { path: 'full', leaves: [], reference: 'amazon/aws-cli:2.25.11' },
    { path: 'three.image', leaves: ['registry', 'repository', 'tag'], reference: 'docker.io/busybox:1.35' },
    { path: 'two.image', leaves: ['repository', 'tag'], reference: 'quay.io/team/app:1.10' },
    {
      path: 'four.image',
      leaves: ['registry', 'repository', 'name', 'tag'],
      reference: 'quay.io/strimzi/operator:0.47.0',
    },
    { path: 'repo.image', leaves: ['repo', 'tag'], reference: 'cassandra:3.11.6' },
    { path: 'retagged.image', leaves: ['repository', 'tag'], reference: 'quay.io/other/app:1e1' },
  ],
}

const TEMPLATE = `apiVersion: v1
kind: List
items:
- {{ .Values.full }}
- {{ with .Values.three.image }}{{ .registry }}/{{ .repository }}:{{ .tag }}{{ end }}
- {{ with .Values.two.image }}{{ .repository }}:{{ .tag }}{{ end }}
- {{ with .Values.four.image }}{{ .registry }}/{{ .repository }}/{{ .name }}:{{ .tag }}{{ end }}
- {{ with .Values.repo.image }}{{ .repo }}:{{ .tag }}{{ end }}
- {{ with .Values.retagged.image }}{{ .repository }}:{{ .tag }}{{ end }}
`

const VALUES = `full: amazon/aws-cli:2.25.11
three: { image: { registry: docker.io, repository: busybox, tag: "1.35" } }
two: { image: { repository: quay.io/team/app, tag: "1.10" } }
four: { image: { registry: quay.io, repository: strimzi, name: operator, tag: 0.47.0 } }
repo: { image: { repo: cassandra, tag: 3.11.6 } }
retagged: { image: { repository: quay.io/other/app, tag: "1e1" } }
`

describe('chartValues, with a real helm', () => {
  it.each([3, 4] as const)('makes helm %i render every shape from the private registry', async (major) => {
    const chart = join(folder, `shapes${major}`)
    await files(chart, {
      'Chart.yaml': 'apiVersion: v2\nname: shapes\nversion: 1.0.0\n',
      'values.yaml': VALUES,
      'templates/list.yaml': TEMPLATE,
    })
    // Tags that a reader of YAML 1.1 takes for numbers unless they are in quotes.
    const images = [
      'amazon/aws-cli:2.25.11',
      'busybox:1.35',
      'quay.io/team/app:1.10',
      'quay.io/strimzi/operator:0.47.0',
      'cassandra:3.11.6',
      'quay.io/other/app:1_0',
    ]
    const { yaml, unbound } = chartValues(SHAPES, images.map(parseReference), layout)
    await writeFile(join(chart, 'override.yaml'), yaml ?? '')
    const rendered = await run(await helmBinary(major), [
      'template',
      'x',
      chart,
      '-f',
      join(chart, 'override.yaml'),
    ])
    expect(unbound).toEqual([])
    expect((parse(rendered.stdout) as { items: string[] }).items).toEqual([
      `${MIRRORED}/docker.io/amazon/aws-cli:2.25.11`,
      `${MIRRORED}/docker.io/library/busybox:1.35`,
      `${MIRRORED}/quay.io/team/app:1.10`,
      `${MIRRORED}/quay.io/strimzi/operator:0.47.0`,
      `${MIRRORED}/docker.io/library/cassandra:3.11.6`,
      `${MIRRORED}/quay.io/other/app:1_0`,
    ])
  })

  it('lets helm read every value of a whole override as the text it is', async () => {
    const chart = join(folder, 'probe')
    await files(chart, {
      'Chart.yaml': 'apiVersion: v2\nname: probe\nversion: 1.0.0\n',
      'templates/all.yaml': '{{ toYaml .Values }}\n',
    })
    const { yaml } = await overrideOf('migration-assistant-3.3.6', ['migration-assistant'])
    await writeFile(join(chart, 'override.yaml'), yaml)
    const rendered = await run(await helmBinary(3), [
      'template',
      'x',
      chart,
      '-f',
      join(chart, 'override.yaml'),
    ])
    expect(parse(rendered.stdout)).toEqual(parse(yaml))
  })

  it('has nothing to say about a chart whose images are not there', () => {
    expect(chartValues(SHAPES, [], layout)).toMatchObject({ yaml: undefined, unbound: { length: 6 } })
  })
})

/** The beginning of every image or chart that a mapping of values names. */
function namesIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  const { registry, repository, repo } = value as Record<string, unknown>
  const own = [registry ?? repository ?? repo].filter((name) => typeof name === 'string' && name !== REGISTRY)
  return [...(own as string[]), ...Object.values(value).flatMap(namesIn)]
}

async function files(folder: string, content: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(content)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}
