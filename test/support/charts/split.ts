import { deployment } from './pack.ts'
import { p, shape, type ShapeChart } from './shape.ts'

/** References whose parts stand apart, and parts that are none. */
export const SPLIT: readonly ShapeChart[] = [
  shape(
    'split-variables',
    'repository, name and version in variables of their own: none of them is a reference',
    'image: {repository: quay.io/team/operator, tag: v1}\ndatabase: {repo: quay.io/team, name: database-server, version: "7.1"}\nhook: {repo: quay.io/team, name: hook, version: "7.2"}\n',
    deployment(
      'split-variables',
      '{{ .Values.image.repository }}:{{ .Values.image.tag }}',
      `          env:
            - {name: DATABASE_REPO_URL, value: "{{ .Values.database.repo }}"}
            - {name: DATABASE_IMAGE, value: "{{ .Values.database.name }}"}
            - {name: DATABASE_VERSION, value: "{{ .Values.database.version }}"}
            - {name: HOOK_IMAGE, value: "{{ .Values.hook.repo }}/{{ .Values.hook.name }}"}
            - {name: HOOK_VERSION, value: "{{ .Values.hook.version }}"}
`,
    ),
    [
      ['database', 'quay.io/team/database-server:7.1'],
      ['hook', 'quay.io/team/hook:7.2'],
      ['image', 'quay.io/team/operator:v1'],
    ],
    {
      database: { repo: p('quay.io/team') },
      hook: { repo: p('quay.io/team') },
      image: { repository: p('quay.io/team/operator') },
    },
  ),
  shape(
    'split-keys',
    'repository and tag in keys of a config map, registry and name in arguments',
    'scan: {repository: ghcr.io/team/scanner, tag: "0.9"}\nrunner: {registry: quay.io, image: team/runner, tag: "2.0"}\n',
    `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  scan.imageRepository: {{ .Values.scan.repository }}
  scan.imageTag: {{ .Values.scan.tag | quote }}
---
${deployment(
  'keys',
  'quay.io/team/fixed:1.0',
  `          args: ["--runner-registry={{ .Values.runner.registry }}", "--runner-image={{ .Values.runner.image }}", --runner-tag, "{{ .Values.runner.tag }}"]
`,
)}`,
    [
      ['runner', 'quay.io/team/runner:2.0'],
      ['scan', 'ghcr.io/team/scanner:0.9'],
    ],
    { runner: { registry: p('quay.io') }, scan: { repository: p('ghcr.io/team/scanner') } },
    { unreachable: ['quay.io/team/fixed:1.0'] },
  ),
  shape(
    'split-resource',
    'a custom resource that leaves out what is empty: a bare word is no image of Docker Hub',
    'driver: {repository: nvcr.io/team, image: driver, version: "1"}\naddon: {repository: "", image: addon-manager, version: ""}\n',
    `apiVersion: example.com/v1
kind: Policy
metadata: {name: policy}
spec:
  driver: {repository: {{ .Values.driver.repository }}, image: {{ .Values.driver.image }}, version: {{ .Values.driver.version | quote }}}
  addon:
    {{- with .Values.addon.repository }}
    repository: {{ . }}
    {{- end }}
    image: {{ .Values.addon.image }}
    {{- with .Values.addon.version }}
    version: {{ . | quote }}
    {{- end }}
`,
    [['driver', 'nvcr.io/team/driver:1']],
    { driver: { repository: p('nvcr.io/team') } },
  ),
  shape(
    'schemes',
    'artifacts with a scheme, whole and as an address beside its tag or digest',
    `whole: oci://ghcr.io/team/whole:1.0
source: {url: oci://ghcr.io/team/source, tag: "2.0"}
pinned: {url: oci://ghcr.io/team/pinned, digest: "sha256:${'a'.repeat(64)}"}
`,
    `apiVersion: v1
kind: ConfigMap
metadata: {name: artifacts}
data: {artifact: "{{ .Values.whole }}", page: "https://ghcr.io/team/page:1.0"}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: source}
spec: {url: "{{ .Values.source.url }}", ref: {tag: "{{ .Values.source.tag }}"}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: pinned}
spec: {url: "{{ .Values.pinned.url }}", ref: {digest: "{{ .Values.pinned.digest }}"}}
`,
    [
      ['pinned', `ghcr.io/team/pinned@sha256:${'a'.repeat(64)}`],
      ['source', 'ghcr.io/team/source:2.0'],
      ['whole', 'ghcr.io/team/whole:1.0'],
    ],
    {
      pinned: { url: `oci://${p('ghcr.io/team/pinned')}` },
      source: { url: `oci://${p('ghcr.io/team/source')}` },
      whole: `oci://${p('ghcr.io/team/whole:1.0')}`,
    },
  ),
  shape(
    'registry-alone',
    'a registry in a variable and a config map: the operator adds the names',
    'image: {repository: quay.io/team/operator, tag: v1}\nconfig: {containerRegistry: images.example.io}\n',
    `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  conf.yaml: |-
    container-registry: {{ .Values.config.containerRegistry }}
    issuer: login.example.io
---
${deployment(
  'operator',
  '{{ .Values.image.repository }}:{{ .Values.image.tag }}',
  '          env: [{name: WORKLOAD_CONTAINER_REGISTRY, value: "{{ .Values.config.containerRegistry }}"}]\n',
)}`,
    [
      ['config.containerRegistry', 'images.example.io/'],
      ['image', 'quay.io/team/operator:v1'],
    ],
    {
      config: { containerRegistry: p('images.example.io') },
      image: { repository: p('quay.io/team/operator') },
    },
  ),
  shape(
    'dumped-whole',
    'all values in one secret, images that are off among them: there a name without its tag is only a part',
    'hub: {image: {name: quay.io/team/hub, tag: "4"}}\npause: {image: {name: registry.example.io/pause, tag: "3.10"}}\nproxy: {image: {name: quay.io/team/proxy, tag: "5"}}\nedge: {image: {name: edgeproxy, tag: "3"}}\n',
    `apiVersion: v1
kind: Secret
metadata: {name: hub}
stringData:
  values.yaml: |
    {{- .Values | toYaml | nindent 4 }}
---
${['hub', 'pause', 'proxy'].map((name) => deployment(name, `{{ .Values.${name}.image.name }}:{{ .Values.${name}.image.tag }}`)).join('---\n')}`,
    [
      ['hub.image', 'quay.io/team/hub:4'],
      ['pause.image', 'registry.example.io/pause:3.10'],
      ['proxy.image', 'quay.io/team/proxy:5'],
    ],
    {
      hub: { image: { name: p('quay.io/team/hub') } },
      pause: { image: { name: p('registry.example.io/pause') } },
      proxy: { image: { name: p('quay.io/team/proxy') } },
    },
  ),
]
