import { chartYaml, deployment, packChart } from './pack.ts'
import { p, type ShapeChart } from './shape.ts'

/** A chart of charts. */
export const UMBRELLA: ShapeChart = {
  name: 'umbrella',
  about:
    'an alias, a condition that is off, a nested tgz, a library, and a key below a subchart that the parent reads',
  files: {
    'Chart.yaml': chartYaml(
      'umbrella',
      'dependencies:\n  - {name: worker, version: 1.0.0, repository: "", alias: blue}\n  - {name: worker, version: 1.0.0, repository: "", alias: green, condition: green.enabled}\n  - {name: packed, version: 1.0.0, repository: ""}\n  - {name: library, version: 1.0.0, repository: ""}\n',
    ),
    'values.yaml':
      'blue: {image: {tag: "9.0"}}\ngreen: {enabled: false}\npacked: {migration: {image: {repository: quay.io/team/migration, tag: ""}}}\n',
    'templates/all.yaml': deployment(
      'migration',
      '{{ .Values.packed.migration.image.repository }}:{{ .Values.packed.migration.image.tag | default .Chart.AppVersion }}',
    ),
    'charts/worker/Chart.yaml': chartYaml('worker'),
    'charts/worker/values.yaml': 'image: {registry: quay.io, repository: team/worker, tag: "1.0"}\n',
    'charts/worker/templates/all.yaml': deployment(
      '{{ .Chart.Name }}',
      '{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}',
    ),
    'charts/library/Chart.yaml': chartYaml('library', 'type: library\n'),
    'charts/library/templates/_x.tpl': '{{- define "library.x" }}x{{ end }}\n',
    'charts/packed-1.0.0.tgz': packChart('packed', {
      'Chart.yaml': 'apiVersion: v2\nname: packed\nversion: 1.0.0\nappVersion: 7.7.7\n',
      'values.yaml': 'image: {repository: quay.io/team/packed, tag: ""}\n',
      'templates/all.yaml': deployment(
        'packed',
        '{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}',
      ),
    }),
  },
  bindings: [
    ['blue.image', 'quay.io/team/worker:9.0'],
    ['green.image', 'quay.io/team/worker:1.0'],
    ['packed.image', 'quay.io/team/packed:7.7.7'],
    ['packed.migration.image', 'quay.io/team/migration:2.5.0'],
  ],
  override: {
    blue: { image: { registry: p('quay.io') } },
    green: { image: { registry: p('quay.io') } },
    packed: {
      image: { repository: p('quay.io/team/packed') },
      migration: { image: { repository: p('quay.io/team/migration') } },
    },
  },
}
