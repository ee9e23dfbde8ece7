import { chartYaml, deployment, packChart } from '../support/charts/pack.ts'
import type { PackedChart } from '../support/charts.ts'

const packed = (name: string, files: Readonly<Record<string, string>>): PackedChart => ({
  name,
  version: '1.0.0',
  metadata: { name, version: '1.0.0' },
  tgz: packChart(name, { 'Chart.yaml': chartYaml(name), ...files }),
})

const REPOSITORY = 'https://charts.journey.example'

/** The consumer chart: switches by environment, values for its children, an image of its own and one in a template. */
const desk = packed('desk', {
  'values.yaml': `
installs: { store: true, search: true, operator: true }
image: { repository: desk/console, tag: latest }
charts:
  store:
    version: 1.0.0
    repository: ${REPOSITORY}
    values: { image: { tag: "2.1" } }
  search: { version: 1.0.0, repository: ${REPOSITORY}, values: {} }
  operator: { version: 1.0.0, repository: ${REPOSITORY}, values: {} }
`,
  'valuesEks.yaml': 'installs: { search: false }\n',
  'templates/console.yaml': deployment('console', '{{ .Values.image.repository }}:{{ .Values.image.tag }}'),
  'templates/agent.yaml': deployment('agent', 'quay.io/journey/agent:9'),
  'templates/installer.yaml': `apiVersion: batch/v1
kind: Job
metadata: { name: installer, annotations: { helm.sh/hook: pre-install } }
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: installer
          image: {{ .Values.image.repository }}:{{ .Values.image.tag }}
          command:
            - /bin/sh
            - -c
            - |
{{- range $name, $chart := .Values.charts }}
{{- if index $.Values.installs $name }}
              VALUES_B64="{{ $chart.values | toYaml | b64enc }}"
              echo "$VALUES_B64" | base64 -d > /tmp/values-journey-{{ $name }}.yaml
              VALUE_PARAM="--values /tmp/values-journey-{{ $name }}.yaml"
              helm upgrade --install {{ $name }} {{ $chart.repository }} \\
                --version {{ $chart.version }} \\
                $VALUE_PARAM
{{- end }}
{{- end }}
`,
})

const store = (literalHook: boolean): PackedChart =>
  packed('store', {
    'values.yaml':
      'image: { registry: quay.io, repository: journey/store, tag: "1.0" }\nmetrics: { enabled: false, image: "quay.io/journey/metrics:3" }\n',
    'templates/store.yaml': deployment(
      'store',
      '{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}',
    ),
    'templates/metrics.yaml': `{{ if .Values.metrics.enabled }}\n${deployment('metrics', '{{ .Values.metrics.image }}')}\n{{ end }}`,
    ...(literalHook
      ? {
          'templates/migrate.yaml': `apiVersion: batch/v1
kind: Job
metadata: { name: migrate, annotations: { helm.sh/hook: pre-install } }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: migrate, image: quay.io/journey/migrate:4 }] } } }
`,
        }
      : {}),
  })

const search = packed('search', {
  'values.yaml': 'image: quay.io/journey/search:5\n',
  'templates/search.yaml': deployment('search', '{{ .Values.image }}'),
})

/** Hands an image on to what a resource of its own asks for. */
const operator = packed('operator', {
  'values.yaml': 'image: quay.io/journey/operator:6\nworker: quay.io/journey/worker:7\n',
  'crds/widgets.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.journey.example }
spec:
  group: journey.example
  names:
    kind: Widget
    plural: widgets
  scope: Namespaced
`,
  'templates/operator.yaml': deployment(
    'operator',
    '{{ .Values.image }}',
    '          env: [{ name: WORKER_IMAGE, value: "{{ .Values.worker }}" }]\n',
  ),
})

/** In the list, and named by nobody. */
const spare = packed('spare', {
  'values.yaml': 'image: quay.io/journey/spare:8\n',
  'templates/spare.yaml': deployment('spare', '{{ .Values.image }}'),
})

export const charts = (literalHook: boolean) =>
  [desk, store(literalHook), search, operator, spare].map((chart) => ({ at: REPOSITORY, chart }))

export const HOSTS = ['charts.journey.example', 'quay.io']

/** What has to be there for every pod to start, literals included. */
export const NEEDED = [
  'quay.io/journey/console:1',
  'quay.io/journey/agent:9',
  'quay.io/journey/store:2.1',
  'quay.io/journey/operator:6',
]

export const specOf = (images: readonly string[]): string => `apiVersion: ma-bundle/v1
kind: BundleSpec
name: journey
version: '1'
groups:
  - name: all
    charts:
${['desk', 'store', 'search', 'operator', 'spare']
  .map((name) => `      - { name: ${name}, version: 1.0.0, repository: '${REPOSITORY}' }`)
  .join('\n')}
    images: [${images.map((image) => `'${image}'`).join(', ')}]
consumer:
  chart: desk
  registryAt: registry.host
  chartsAt: charts
  values: [valuesEks.yaml]
  installsWhen: installs.{key}
  install: { release: desk, namespace: desk }
  bindings:
    - { path: image, leaves: [repository, tag], reference: 'desk/console:latest', image: 'quay.io/journey/console:1' }
`
