import { deployment } from './pack.ts'
import { p, shape, type ShapeChart } from './shape.ts'

/** Where references stand, and what hides them. */
export const PLACES: readonly ShapeChart[] = [
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
    {
      names: Object.fromEntries(
        ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((key) => [key, p(`quay.io/team/${key}`)]),
      ),
    },
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
  shape(
    'renamed',
    'an object whose name is new in every render',
    'image: {repository: quay.io/team/renamed, tag: "1.0"}\n',
    deployment('x-{{ randAlphaNum 5 | lower }}', '{{ .Values.image.repository }}:{{ .Values.image.tag }}'),
    [['image', 'quay.io/team/renamed:1.0']],
    { image: { repository: p('quay.io/team/renamed') } },
  ),
  shape(
    'replaced',
    'an empty leaf that, once set, replaces the whole reference',
    'edition: "16"\nimageName: ""\n',
    deployment(
      'replaced',
      '{{ .Values.imageName | default (printf "quay.io/team/replaced:%s" .Values.edition) }}',
    ),
    [['imageName', 'quay.io/team/replaced:16']],
    { imageName: p('quay.io/team/replaced:16') },
  ),
  shape(
    'dumped',
    'the values in a secret, where a name and its tag are fields of their own',
    'hub: {image: {name: quay.io/team/hub, tag: "1.0"}}\n',
    `${deployment('dumped', '{{ .Values.hub.image.name }}:{{ .Values.hub.image.tag }}')}---
apiVersion: v1
kind: Secret
metadata: {name: dump}
data: {values.yaml: {{ .Values | toYaml | b64enc }}}
`,
    [['hub.image', 'quay.io/team/hub:1.0']],
    { hub: { image: { name: p('quay.io/team/hub') } } },
  ),
]
