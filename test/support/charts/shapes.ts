import { chartYaml, deployment, packChart, type ChartFiles } from './pack.ts'

/** A small chart that shows one way in which values make images, and what must be found and written in it. */
export interface ShapeChart {
  readonly name: string
  /** What is peculiar about it. */
  readonly about: string
  readonly files: ChartFiles
  /** Path, and the references made from it under the chart's own values. */
  readonly bindings: readonly (readonly [path: string, ...references: string[]])[]
  /** The whole override, when every image goes to `PRIVATE/<normalised reference>`. */
  readonly override: unknown
  /** References that no value reaches. */
  readonly unreachable?: readonly string[]
}

export const PRIVATE = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirrored'

export const pack = ({ name, files }: ShapeChart): Uint8Array => packChart(name, files)

const shape = (
  name: string,
  about: string,
  values: string,
  template: string,
  bindings: ShapeChart['bindings'],
  override: unknown,
  more: { files?: ChartFiles; unreachable?: readonly string[]; chart?: string } = {},
): ShapeChart => ({
  name,
  about,
  files: {
    'Chart.yaml': chartYaml(name, more.chart),
    'values.yaml': values,
    'templates/all.yaml': template,
    ...more.files,
  },
  bindings,
  override,
  ...(more.unreachable === undefined ? {} : { unreachable: more.unreachable }),
})

const p = (text: string): string => `${PRIVATE}/${text}`

export const SHAPES: readonly ShapeChart[] = [
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
  shape(
    'joined-later',
    'a config map with hub, tag and short names, joined when the program runs',
    'hub: gcr.io/team\ntag: "1.20"\nproxy: {image: proxyv2}\n',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\ndata:\n  values: |-\n    {{ dict "global" (dict "hub" .Values.hub "tag" .Values.tag "proxy" (dict "image" .Values.proxy.image)) | toJson }}\n',
    [['proxy.image', 'gcr.io/team/proxyv2:1.20']],
    { hub: p('gcr.io/team') },
  ),
  shape(
    'stem',
    'the beginning of a name; the program adds the rest',
    'runner: {image_prefix: "team/runner-"}\n',
    deployment(
      'stem',
      'quay.io/team/fixed:1.0',
      '          env: [{name: RUNNER_IMAGE_PREFIX, value: {{ .Values.runner.image_prefix | quote }}}]\n',
    ),
    [['runner.image_prefix', 'docker.io/team/runner-']],
    { runner: { image_prefix: p('docker.io/team/runner-') } },
    { unreachable: ['quay.io/team/fixed:1.0'] },
  ),
  shape(
    'appended',
    'the template appends to the repository',
    'image: {repository: quay.io/team/job, tag: "1.0"}\n',
    deployment('appended', '{{ .Values.image.repository }}-runner:{{ .Values.image.tag }}'),
    [['image', 'quay.io/team/job-runner:1.0']],
    { image: { repository: p('quay.io/team/job') } },
  ),
  shape(
    'moded',
    'what an empty leaf means depends on a mode',
    'edition: oss\nimage: {repository: "", tag: "1.0"}\n',
    deployment(
      'moded',
      '{{ if .Values.image.repository }}{{ .Values.image.repository }}{{ else if eq .Values.edition "oss" }}quay.io/team/oss{{ else }}quay.io/team/pro{{ end }}:{{ .Values.image.tag }}',
    ),
    [['image', 'quay.io/team/oss:1.0']],
    { image: { repository: p('quay.io/team/oss') } },
  ),
  shape(
    'odd-registries',
    'a registry that carries a path, one that is dead, and one that is no registry at all',
    'a: {image: {registry: quay.io/team, repository: a, tag: "1.0"}}\nb: {image: {registry: quay.io, repository: quay.io/team/b, tag: "1.0"}}\nregistry: {storage: /var/lib/registry, port: 5000}\n',
    `${deployment('a', '{{ .Values.a.image.registry }}/{{ .Values.a.image.repository }}:{{ .Values.a.image.tag }}', '          args: ["--port={{ .Values.registry.port }}", "--storage", "{{ .Values.registry.storage }}"]\n')}---\n${deployment('b', '{{ .Values.b.image.repository }}:{{ .Values.b.image.tag }}')}`,
    [
      ['a.image', 'quay.io/team/a:1.0'],
      ['b.image', 'quay.io/team/b:1.0'],
    ],
    { a: { image: { registry: p('quay.io/team') } }, b: { image: { repository: p('quay.io/team/b') } } },
  ),
  shape(
    'literals',
    'one image in a template, one behind lookup that no render shows',
    'replicas: 1\n',
    `${deployment('literal', 'quay.io/team/literal:1.0')}{{- if lookup "v1" "Namespace" "" "kube-system" }}\n---\n${deployment('hidden', 'quay.io/team/hidden:1.0')}{{- end }}\n`,
    [],
    {},
    { unreachable: ['quay.io/team/literal:1.0', 'quay.io/team/hidden:1.0'] },
  ),
  shape(
    'undeclared',
    'a leaf that the template honours and values do not declare',
    'image: {}\n',
    deployment(
      'undeclared',
      '{{ .Values.image.repository | default "quay.io/team/undeclared" }}:{{ .Values.image.tag | default "1.0" }}',
    ),
    [['image', 'quay.io/team/undeclared:1.0']],
    { image: { repository: p('quay.io/team/undeclared') } },
  ),
  shape(
    'templated',
    'a string that is a template itself',
    'base: quay.io/team\nworker: "{{ .Values.base }}/worker:{{ .Chart.AppVersion }}"\n',
    deployment('templated', '{{ tpl .Values.worker . }}'),
    [['base', 'quay.io/team/worker:2.5.0']],
    { base: p('quay.io/team') },
  ),
  shape(
    'global-wins',
    'a global registry that wins over the own one',
    'global: {imageRegistry: ""}\nimage: {registry: quay.io, repository: team/app, tag: "1.0"}\n',
    deployment(
      'global',
      '{{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}',
    ),
    [['image', 'quay.io/team/app:1.0']],
    { image: { registry: p('quay.io') } },
  ),
  shape(
    'consent',
    'a chart that refuses other registries until a switch is on',
    'global: {security: {allowOther: false}}\nimage: {registry: quay.io, repository: team/app, tag: "1.0"}\n',
    `{{- if and (ne .Values.image.registry "quay.io") (not .Values.global.security.allowOther) }}{{ fail "unrecognised image; set 'global.security.allowOther' to true" }}{{ end }}\n${deployment('consent', '{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}')}`,
    [['image', 'quay.io/team/app:1.0']],
    { global: { security: { allowOther: true } }, image: { registry: p('quay.io') } },
  ),
  shape(
    'semver',
    'a tag that must be a version, a sha that must not be set, a secret that changes with every render',
    'image: {registry: quay.io, repository: team/semver, tag: v1.9.1, sha: ""}\n',
    `{{- if .Values.image.sha }}{{ fail "image.sha forbidden" }}{{ end }}\n${deployment('semver', '{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}')}{{- if semverCompare ">=1.0.0" .Values.image.tag }}\n          args: [--new]\n{{- end }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: random}\nstringData: {password: {{ randAlphaNum 32 | quote }}}\n`,
    [['image', 'quay.io/team/semver:v1.9.1']],
    { image: { registry: p('quay.io') } },
  ),
  shape(
    'strings',
    'arguments in both spellings, environments, comma-joined and multi-line text, config, secrets, shell, a custom resource',
    'names:\n  a: quay.io/team/a\n  b: quay.io/team/b\n  c: quay.io/team/c\n  d: quay.io/team/d\n  e: quay.io/team/e\n  f: quay.io/team/f\n  g: quay.io/team/g\nversion: "1.0"\n',
    `${deployment(
      'strings',
      'quay.io/team/main:1.0',
      `          command: [sh, -c, "run --image {{ .Values.names.f }}:{{ .Values.version }} && echo done"]
          args:
            - --helper-image={{ .Values.names.a }}:{{ .Values.version }}
            - --other-image
            - {{ .Values.names.b }}:{{ .Values.version }}
          env:
            - name: IMAGES
              value: "{{ .Values.names.c }}:{{ .Values.version }},{{ .Values.names.d }}:{{ .Values.version }}"
            - name: MAP
              value: |
                3.9.0={{ .Values.names.a }}:{{ .Values.version }}-k3.9.0
                4.0.0={{ .Values.names.a }}:{{ .Values.version }}-k4.0.0
`,
    )}---
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data:
  config.yaml: |
    runner:
      image: {{ .Values.names.e }}:{{ .Values.version }}
---
apiVersion: v1
kind: Secret
metadata: {name: hidden}
data:
  config: {{ printf "image=%s:%s" .Values.names.g .Values.version | b64enc }}
---
apiVersion: example.com/v1
kind: Engine
metadata: {name: engine}
spec: {image: "{{ .Values.names.b }}:{{ .Values.version }}"}
---
apiVersion: v1
kind: Pod
metadata: {name: check, annotations: {"helm.sh/hook": test}}
spec: {containers: [{name: check, image: "{{ .Values.names.d }}:{{ .Values.version }}"}]}
`,
    [
      ['names.a', 'quay.io/team/a:1.0', 'quay.io/team/a:1.0-k3.9.0', 'quay.io/team/a:1.0-k4.0.0'],
      ['names.b', 'quay.io/team/b:1.0'],
      ['names.c', 'quay.io/team/c:1.0'],
      ['names.d', 'quay.io/team/d:1.0'],
      ['names.e', 'quay.io/team/e:1.0'],
      ['names.f', 'quay.io/team/f:1.0'],
      ['names.g', 'quay.io/team/g:1.0'],
    ],
    { names: Object.fromEntries([...'abcdefg'].map((key) => [key, p(`quay.io/team/${key}`)])) },
    { unreachable: ['quay.io/team/main:1.0'] },
  ),
  shape(
    'split-fields',
    'a custom resource with repository, image and version in three fields',
    'driver: {repository: nvcr.io/team, image: driver, version: "570.1"}\n',
    'apiVersion: example.com/v1\nkind: Policy\nmetadata: {name: policy}\nspec:\n  driver: {{ toYaml .Values.driver | nindent 4 }}\n',
    [['driver', 'nvcr.io/team/driver:570.1']],
    { driver: { repository: p('nvcr.io/team') } },
  ),
  shape(
    'switched-off',
    'features that are off, one of which excludes the other, one behind a list',
    'mode: single\nsingle: {image: {repository: quay.io/team/single, tag: "1.0"}}\nmany: {image: {repository: quay.io/team/many, tag: "1.0"}}\nextra: {enabled: false, image: {repository: quay.io/team/extra, tag: "1.0"}}\nloads: []\nloader: {image: {repository: quay.io/team/loader, tag: "1.0"}}\n',
    `{{- if eq .Values.mode "single" }}\n${deployment('single', '{{ .Values.single.image.repository }}:{{ .Values.single.image.tag }}')}{{- else if eq .Values.mode "many" }}\n${deployment('many', '{{ .Values.many.image.repository }}:{{ .Values.many.image.tag }}')}{{- else }}{{ fail "mode must be single or many" }}{{- end }}\n{{- if .Values.extra.enabled }}\n---\n${deployment('extra', '{{ .Values.extra.image.repository }}:{{ .Values.extra.image.tag }}')}{{- end }}\n{{- if .Values.loads }}\n---\n${deployment('loader', '{{ .Values.loader.image.repository }}:{{ .Values.loader.image.tag }}')}{{- end }}\n`,
    [
      ['extra.image', 'quay.io/team/extra:1.0'],
      ['loader.image', 'quay.io/team/loader:1.0'],
      ['many.image', 'quay.io/team/many:1.0'],
      ['single.image', 'quay.io/team/single:1.0'],
    ],
    Object.fromEntries(
      ['single', 'many', 'extra', 'loader'].map((key) => [
        key,
        { image: { repository: p(`quay.io/team/${key}`) } },
      ]),
    ),
  ),
  shape(
    'traps',
    'text that looks like an image and is none',
    'image: {repository: quay.io/team/traps, tag: "1.0"}\nnode: "kubernetes.io/os:linux"\nurl: https://example.com/app:8443\nimagePullPolicy: Always\nimagePullSecrets: [{name: registry}]\nmediaType: application/json\nvolume: /var/run/app:ro\n',
    deployment(
      'traps',
      '{{ .Values.image.repository }}:{{ .Values.image.tag }}',
      `          imagePullPolicy: {{ .Values.imagePullPolicy }}
          args: ["--selector={{ .Values.node }}", "--url={{ .Values.url }}", "--type={{ .Values.mediaType }}", "--mount={{ .Values.volume }}", "--api=cert-manager.io/v1", "--listen=0.0.0.0:8080", "--image-pull-secret=registry"]
`,
    ),
    [['image', 'quay.io/team/traps:1.0']],
    { image: { repository: p('quay.io/team/traps') } },
  ),
  {
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
  },
]
