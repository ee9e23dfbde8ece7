import { parse } from 'yaml'
import type { PackedChart } from '../support/charts.ts'
import { packChart, chartYaml, type ChartFiles } from '../support/charts/pack.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'

/** The registry of the rehearsal, by a name that ECR would give it. */
export const ECR = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'

const base = layerOf({ 'etc/base': noise(60_000, 1) })
const image = (seed: number): BuiltImage =>
  buildIndex(
    ['linux/amd64', 'linux/arm64'].map((platform, at) =>
      buildImage([base, layerOf({ app: noise(20_000, seed + at) })], { platform }),
    ),
  )

/** Each image by its public name, and how the charts come to it. */
export const images: Readonly<Record<string, BuiltImage>> = {
  // A map of registry, repository and tag.
  'quay.io/rehearsal/web:1.4.0': image(10),
  // Repository, and the chart's appVersion.
  'docker.io/rehearsal/api:2.5.0': image(20),
  // A whole text in an argument.
  'ghcr.io/rehearsal/reloader:0.9.1': image(30),
  // A whole text in a variable.
  'registry.k8s.io/rehearsal/worker:v3.1.0': image(40),
  // A hook.
  'quay.io/rehearsal/migrate:0.3.0': image(50),
  // A literal of the template, in its shortest spelling.
  'docker.io/library/busybox:1.36': image(60),
  // A literal of the template, pinned.
  'ghcr.io/rehearsal/proxy:5': image(70),
  // Lines of a config map, in the template.
  'quay.io/rehearsal/kafka:4.0.0': image(80),
  'quay.io/rehearsal/kafka:4.1.0': image(90),
  // Nothing names it: compiled into an operator, pulled by its public name.
  'docker.io/rehearsal/sidecar:7.7.0': image(100),
}

/** What pods pull although no chart says so. */
export const compiledIn = ['docker.io/rehearsal/sidecar:7.7.0']

const pinned = `ghcr.io/rehearsal/proxy:5@${images['ghcr.io/rehearsal/proxy:5']?.digest ?? ''}`

const shop: ChartFiles = {
  'Chart.yaml': chartYaml('rehearsal-shop'),
  'values.yaml': `web:
  image:
    registry: quay.io
    repository: rehearsal/web
    tag: 1.4.0
api:
  image:
    repository: rehearsal/api
    # empty: the chart's appVersion
    tag: ''
migrate:
  image: quay.io/rehearsal/migrate:0.3.0
`,
  'templates/web.yaml': `# The web shop.
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      initContainers:
        - name: wait # a literal
          image: busybox:1.36
      containers:
        - name: web
          image: "{{ .Values.web.image.registry }}/{{ .Values.web.image.repository }}:{{ .Values.web.image.tag }}"
        - name: proxy
          image: '${pinned}'
`,
  'templates/api.yaml': `apiVersion: apps/v1
kind: StatefulSet
metadata: { name: api }
spec:
  serviceName: api
  selector: { matchLabels: { app: api } }
  template:
    metadata: { labels: { app: api } }
    spec:
      containers:
        - name: api
          image: "{{ .Values.api.image.repository }}:{{ .Values.api.image.tag | default .Chart.AppVersion }}"
`,
  'templates/migrate.yaml': `apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: { helm.sh/hook: pre-upgrade }
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: {{ .Values.migrate.image | quote }}
`,
}

const operator: ChartFiles = {
  'Chart.yaml': chartYaml('rehearsal-operator'),
  'values.yaml': `reloader: ghcr.io/rehearsal/reloader:0.9.1
workerImage: registry.k8s.io/rehearsal/worker:v3.1.0
`,
  'templates/operator.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: operator }
spec:
  selector: { matchLabels: { app: operator } }
  template:
    metadata: { labels: { app: operator } }
    spec:
      containers:
        - name: operator
          image: {{ .Values.workerImage }}
          args:
            - --verbose
            - --reloader-image={{ .Values.reloader }}
          env:
            - name: WORKER_IMAGE
              value: {{ .Values.workerImage | quote }}
`,
  'templates/kafka.yaml': `apiVersion: v1
kind: ConfigMap
metadata: { name: kafka-images }
data:
  images: |
    # version=image
    4.0.0=quay.io/rehearsal/kafka:4.0.0
    4.1.0=quay.io/rehearsal/kafka:4.1.0
`,
}

const packed = (files: ChartFiles): PackedChart => {
  const metadata = parse(String(files['Chart.yaml'])) as Record<string, unknown>
  const name = String(metadata.name)
  return { name, version: String(metadata.version), metadata, tgz: new Uint8Array(packChart(name, files)) }
}

export const charts: readonly PackedChart[] = [packed(shop), packed(operator)]

/** @param source `host:port` that stands for every public registry, and has the charts */
export const rehearsalSpec = (source: string): string => `apiVersion: ma-bundle/v1
kind: BundleSpec
name: rehearsal
version: 1.0.0
mirrors:
${[...new Set(Object.keys(images).map((name) => name.split('/')[0]))].map((host) => `  ${host}: ["${source}"]\n`).join('')}groups:
  - name: all
    charts:
${charts.map(({ name, version }) => `      - { name: ${name}, version: ${version}, repository: "http://${source}/charts" }\n`).join('')}    images:
${Object.keys(images)
  .map((name) => `      - ${name}\n`)
  .join('')}`
