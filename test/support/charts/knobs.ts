import { deployment } from './pack.ts'
import { p, shape, type ShapeChart } from './shape.ts'

/** Knobs that lie far from the image they point elsewhere. */
export const KNOBS: readonly ShapeChart[] = [
  shape(
    'empty-global',
    'an empty global registry; what it stands for is written in the template',
    'global: {imageRegistry: ""}\nimage: {repository: team/ui, tag: "1.0"}\n',
    deployment(
      'empty-global',
      '{{ .Values.global.imageRegistry | default "docker.io" }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}',
    ),
    [['image', 'docker.io/team/ui:1.0']],
    { global: { imageRegistry: p('docker.io') } },
  ),
  shape(
    'other-name',
    'an empty knob of an unusual name, far away from the images that share it',
    'settings: {pullFrom: ""}\nweb: {image: {repository: team/web, tag: "1.0"}}\nworker: {image: {repository: team/worker, tag: "1.0"}}\n',
    ['web', 'worker']
      .map((name) =>
        deployment(
          name,
          `{{ default "ghcr.io" .Values.settings.pullFrom }}/{{ .Values.${name}.image.repository }}:{{ .Values.${name}.image.tag }}`,
        ),
      )
      .join('---\n'),
    [
      ['web.image', 'ghcr.io/team/web:1.0'],
      ['worker.image', 'ghcr.io/team/worker:1.0'],
    ],
    { settings: { pullFrom: p('ghcr.io') } },
  ),
  shape(
    'undeclared-url',
    'a knob that values do not declare at all',
    'image: {repository: team/app, tag: "1.0"}\n',
    deployment(
      'undeclared-url',
      '{{ .Values.registryUrl | default "quay.io" }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}',
    ),
    [['image', 'quay.io/team/app:1.0']],
    { registryUrl: p('quay.io') },
  ),
  shape(
    'shared-later',
    'a second image that only a switch shows, and that only the shared knob reaches',
    'registry: null\nagent: {image: {name: agent, tag: "7", repository: null}}\nextra: {enabled: false}\n',
    `{{- define "path" }}{{ if .image.repository }}{{ .image.repository }}{{ else }}{{ .root.registry | default "registry.example.com" }}/{{ .image.name }}{{ end }}:{{ .image.tag }}{{ end -}}
${deployment('agent', '{{ include "path" (dict "root" .Values "image" .Values.agent.image) }}')}{{- if .Values.extra.enabled }}
---
${deployment('extra', '{{ include "path" (dict "root" .Values "image" (dict "name" "collector" "tag" .Values.agent.image.tag)) }}')}{{- end }}
`,
    [
      ['agent.image', 'registry.example.com/agent:7'],
      ['registry', 'registry.example.com/collector:7'],
    ],
    {
      agent: { image: { repository: p('registry.example.com/agent') } },
      registry: p('registry.example.com'),
    },
  ),
  shape(
    'behind-a-list',
    'a name of one word and its tag, behind a switch that is a list',
    'image: {name: quay.io/team/app, tag: "1.0"}\nhttps: {enabled: false, type: public, hosts: []}\nedge: {image: {name: edgeproxy, tag: v3}}\n',
    `${deployment('app', '{{ .Values.image.name }}:{{ .Values.image.tag }}')}{{- if and .Values.https.enabled .Values.https.hosts (eq .Values.https.type "public") }}
---
${deployment('edge', '{{ .Values.edge.image.name }}:{{ .Values.edge.image.tag }}')}{{- end }}
`,
    [
      ['edge.image', 'docker.io/library/edgeproxy:v3'],
      ['image', 'quay.io/team/app:1.0'],
    ],
    {
      edge: { image: { name: p('docker.io/library/edgeproxy') } },
      image: { name: p('quay.io/team/app') },
    },
  ),
]
