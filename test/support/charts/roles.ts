import { deployment } from './pack.ts'
import { p, shape, type ShapeChart } from './shape.ts'

/** What a leaf may turn out to be. */
export const ROLES: readonly ShapeChart[] = [
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
]
