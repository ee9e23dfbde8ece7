import { deployment } from './pack.ts'
import { p, shape, type ShapeChart } from './shape.ts'

/** Which leaves make a name. */
export const LEAVES: readonly ShapeChart[] = [
  shape(
    'plain',
    'registry, repository and an empty tag that stands for v + appVersion',
    'image: {registry: quay.io, repository: team/plain, tag: ""}\n',
    deployment(
      'plain',
      '"{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag | default (printf "v%s" .Chart.AppVersion) }}"',
    ),
    [['image', 'quay.io/team/plain:v2.5.0']],
    { image: { registry: p('quay.io') } },
  ),
  shape(
    'hubless',
    'a declared registry that is empty means Docker Hub',
    'image: {registry: null, repository: busybox, tag: "1.36"}\n',
    deployment(
      'hubless',
      '"{{ with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}:{{ .Values.image.tag }}"',
    ),
    [['image', 'docker.io/library/busybox:1.36']],
    { image: { registry: p('docker.io/library') } },
  ),
  shape(
    'closed',
    'a closed schema: no undeclared key may be written',
    'image: {repository: quay.io/team/closed, tag: "1.0"}\n',
    deployment('closed', '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"'),
    [['image', 'quay.io/team/closed:1.0']],
    { image: { repository: p('quay.io/team/closed') } },
    {
      files: {
        'values.schema.json': JSON.stringify({
          type: 'object',
          additionalProperties: false,
          properties: {
            global: { type: 'object' },
            image: {
              type: 'object',
              additionalProperties: false,
              properties: {
                repository: { type: 'string' },
                tag: { type: 'string', pattern: '^[0-9.]+$' },
              },
            },
          },
        }),
      },
    },
  ),
  shape(
    'whole',
    'one string with everything in it, next to a map that is not one',
    'helper: {image: "quay.io/team/helper:3.1"}\npause: registry.k8s.io/pause@sha256:7031c1b283388d2c2e09b57badb803c05ebed362dc88d84b480cc47f72a21097\n',
    deployment(
      'whole',
      '{{ .Values.helper.image }}',
      '        - {name: pause, image: "{{ .Values.pause }}"}\n',
    ),
    [
      ['helper.image', 'quay.io/team/helper:3.1'],
      [
        'pause',
        'registry.k8s.io/pause@sha256:7031c1b283388d2c2e09b57badb803c05ebed362dc88d84b480cc47f72a21097',
      ],
    ],
    {
      helper: { image: p('quay.io/team/helper:3.1') },
      pause: p(
        'registry.k8s.io/pause@sha256:7031c1b283388d2c2e09b57badb803c05ebed362dc88d84b480cc47f72a21097',
      ),
    },
  ),
  shape(
    'unnamed',
    'no key speaks of an image',
    'dealer: {source: quay.io/team/dealer, edition: "4.2"}\n',
    deployment('unnamed', '{{ .Values.dealer.source }}:{{ .Values.dealer.edition }}'),
    [['dealer.source', 'quay.io/team/dealer:4.2']],
    { dealer: { source: p('quay.io/team/dealer') } },
  ),
  shape(
    'three-parts',
    'prefix, last segment and version in three leaves; the prefix serves two images',
    'hub: ghcr.io/team\nparts: {engine: {name: engine, version: "1.1"}, wheel: {name: wheel, version: "1.2"}}\n',
    `${deployment('engine', '{{ .Values.hub }}/{{ .Values.parts.engine.name }}:{{ .Values.parts.engine.version }}')}---\n${deployment('wheel', '{{ .Values.hub }}/{{ .Values.parts.wheel.name }}:{{ .Values.parts.wheel.version }}')}`,
    [
      ['parts.engine', 'ghcr.io/team/engine:1.1'],
      ['parts.wheel', 'ghcr.io/team/wheel:1.2'],
    ],
    { hub: p('ghcr.io/team') },
  ),
  shape(
    'shared-hub',
    'one hub for a library image and for one of a team: Docker Hub spells them differently',
    'hub: docker.io\nproxy: {image: nginx, tag: "1.27"}\napp: {image: team/app, tag: "2.0"}\n',
    `${deployment('proxy', '{{ .Values.hub }}/{{ .Values.proxy.image }}:{{ .Values.proxy.tag }}')}---\n${deployment('app', '{{ .Values.hub }}/{{ .Values.app.image }}:{{ .Values.app.tag }}')}`,
    [
      ['app', 'docker.io/team/app:2.0'],
      ['proxy', 'docker.io/library/nginx:1.27'],
    ],
    { hub: p('docker.io'), proxy: { image: 'library/nginx' } },
  ),
  shape(
    'inside-names',
    'keys that contain the word but do not end in it',
    'imageForWorker: quay.io/team/worker:1.0\ncontrollerImageName: quay.io/team/controller\ncontrollerImageVersion: "2.0"\n',
    deployment(
      'inside',
      '{{ .Values.imageForWorker }}',
      '        - {name: controller, image: "{{ .Values.controllerImageName }}:{{ .Values.controllerImageVersion }}"}\n',
    ),
    [
      ['controllerImageName', 'quay.io/team/controller:2.0'],
      ['imageForWorker', 'quay.io/team/worker:1.0'],
    ],
    { controllerImageName: p('quay.io/team/controller'), imageForWorker: p('quay.io/team/worker:1.0') },
  ),
  shape(
    'inherits',
    'null leaves take over what another key says',
    'image: {repository: quay.io/team/all, tag: "1.0"}\nworker: {image: {repository: null, tag: null}}\n',
    `${deployment('main', '{{ .Values.image.repository }}:{{ .Values.image.tag }}')}---\n${deployment('worker', '{{ .Values.worker.image.repository | default .Values.image.repository }}:{{ .Values.worker.image.tag | default .Values.image.tag }}')}`,
    [
      ['image', 'quay.io/team/all:1.0'],
      ['worker.image', 'quay.io/team/all:1.0'],
    ],
    { image: { repository: p('quay.io/team/all') } },
  ),
  shape(
    'lists',
    'images in a list, which helm replaces as a whole',
    'sidecars:\n  - {name: first, image: "quay.io/team/first:1.0", port: 80}\n  - {name: second, image: "busybox:1.36", port: 81}\n',
    deployment(
      'lists',
      'quay.io/team/none',
      '{{- range .Values.sidecars }}\n        - {name: {{ .name }}, image: {{ .image | quote }}}\n{{- end }}\n',
    ).replace('        - name: main\n          image: quay.io/team/none\n', ''),
    [
      ['sidecars[0].image', 'quay.io/team/first:1.0'],
      ['sidecars[1].image', 'docker.io/library/busybox:1.36'],
    ],
    {
      sidecars: [
        { name: 'first', image: p('quay.io/team/first:1.0'), port: 80 },
        { name: 'second', image: p('docker.io/library/busybox:1.36'), port: 81 },
      ],
    },
  ),
]
