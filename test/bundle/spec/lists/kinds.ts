/** A digest of nothing that is anywhere. */
export const SHA = `sha256:${'ab'.repeat(32)}`
/** An image that most of them name. */
export const ONE = 'registry.example/shop/api:2.0.1'

/** A file of each kind of list, with what is to be taken of it and what is to be named as left out. */
export const KINDS: Readonly<
  Record<
    string,
    {
      readonly file: string
      readonly images?: readonly string[]
      readonly charts?: readonly string[]
      readonly files?: readonly string[]
      readonly groups?: readonly string[]
      readonly notTaken?: readonly string[]
    }
  >
> = {
  'plain text with comments, blank lines, dashes, labels and pull lines': {
    file: `# shop, March\r\n\r\n${ONE}\r\n  - quay.io/demo/cache:7 # the cache\r\nimage: library/redis:7@${SHA}\r\ndocker pull --platform linux/arm64 quay.io/demo/arm:1\r\ndocker://quay.io/demo/web:3\r\nbusybox\r\n`,
    images: [
      ONE,
      'quay.io/demo/cache:7',
      `docker.io/library/redis:7@${SHA}`,
      'quay.io/demo/arm:1 [linux/arm64]',
      'quay.io/demo/web:3',
      'docker.io/library/busybox:latest',
    ],
  },
  'the images file of a release, with the sources of each image behind it': {
    file: `rancher/shell:v0.3.0 rancher-webhook,system-charts\nrancher/fleet:v0.12.4 fleet\n`,
    images: ['docker.io/rancher/shell:v0.3.0', 'docker.io/rancher/fleet:v0.12.4'],
  },
  'several references on a line, as k0s writes them': {
    file: `${ONE} quay.io/demo/cache:7\tquay.io/demo/web:3\n`,
    images: [ONE, 'quay.io/demo/cache:7', 'quay.io/demo/web:3'],
  },
  'output with lines of a log among it': {
    file: `W1128 10:00:00.1 1 version.go:109] could not fetch\n${ONE}\ntime="2026-01-01T00:00:00Z" level=info msg="done"\n`,
    images: [ONE],
    notTaken: [
      'line of a log: W1128 10:00:00.1 1 version.go:109] could not fetch (list:1)',
      'line of a log: time="2026-01-01T00:00:00Z" level=info msg="done" (list:3)',
    ],
  },
  'a bare YAML list': {
    file: `---\n- ${ONE}\n- "quay.io/demo/cache:7"\n`,
    images: [ONE, 'quay.io/demo/cache:7'],
  },
  'a bare JSON list': { file: `["${ONE}", "quay.io/demo/cache:7"]`, images: [ONE, 'quay.io/demo/cache:7'] },
  'images below a key, as texts and as mappings': {
    file: `images:\n  - name: ${ONE}\n  - image: quay.io/demo/cache:7\n  - { reference: quay.io/demo/web, tag: "1.10" }\n  - { name: quay.io/demo/db, tag: 1.10, platform: linux/arm64 }\n`,
    images: [ONE, 'quay.io/demo/cache:7', 'quay.io/demo/web:1.10', 'quay.io/demo/db:1.10 [linux/arm64]'],
  },
  'kubeadm as YAML': {
    file: `apiVersion: output.kubeadm.k8s.io/v1alpha3\nkind: Images\nimages:\n- registry.k8s.io/pause:3.10\n`,
    images: ['registry.k8s.io/pause:3.10'],
  },
  'Hauler, several documents, with annotations for platform and registry': {
    file: `apiVersion: content.hauler.cattle.io/v1
kind: Images
metadata: { name: shop, annotations: { hauler.dev/platform: linux/arm64, hauler.dev/registry: registry.example, hauler.dev/key: cosign.pub } }
spec:
  images:
    - name: shop/api:2.0.1
    - { name: quay.io/demo/cache:7, platform: linux/amd64, rewrite: /cache/x:7 }
    - { name: own:1, local: true }
---
apiVersion: content.hauler.cattle.io/v1alpha1
kind: Charts
spec: { charts: [ { name: shop, repoURL: "oci://registry.example/charts", version: 1.4.0, valuesFiles: [a.yaml] } ] }
---
apiVersion: content.hauler.cattle.io/v1
kind: Files
spec: { files: [ { path: "https://files.example/a/tool.sh" }, { path: ./local.txt } ] }
`,
    images: [`${ONE} [linux/arm64]`, 'quay.io/demo/cache:7 [linux/amd64]'],
    charts: ['shop@1.4.0=oci://registry.example/charts'],
    files: ['tool.sh https://files.example/a/tool.sh'],
    notTaken: [
      'signature to check: shop (list:3)',
      'rewritten name: quay.io/demo/cache:7 as /cache/x:7 (list:7)',
      'local image: own:1 (list:8)',
      'values of a chart: shop (list:12)',
      'local file: local.txt (list:16)',
    ],
  },
  'a Zarf package without apiVersion': {
    file: `kind: ZarfPackageConfig
metadata: { name: shop, architecture: arm64 }
components:
  - name: api
    images: [ "${ONE}" ]
    charts:
      - { name: shop, version: 1.4.0, url: "oci://registry.example/charts/shop-chart", namespace: shop }
      - { name: web, version: 2.0.0, url: "https://charts.example" }
      - { name: git, version: 1.0.0, url: "https://git.example/x", gitPath: chart }
    manifests: [ { name: m, files: [a.yaml] } ]
    repos: [ "https://git.example/y" ]
`,
    images: [`${ONE} [linux/arm64]`],
    charts: ['shop-chart@1.4.0=oci://registry.example/charts', 'web@2.0.0=https://charts.example'],
    groups: ['api'],
    notTaken: [
      'chart in git: git (list:9)',
      'manifest: a.yaml (list:10)',
      'git repository: https://git.example/y (list:11)',
    ],
  },
  'an ImageSetConfiguration': {
    file: `apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
mirror:
  additionalImages:
    - { name: "${ONE}", platforms: [ { os: linux, architecture: arm64 } ] }
    - name: registry.example/rhel/tools
  operators:
    - catalog: registry.example/redhat/index:v4.18
    - catalog: registry.example/community/index:v4.18
  helm: { repositories: [ { name: ex, url: "https://charts.example", charts: [ { name: shop, version: 1.4.0 } ] } ] }
`,
    images: [`${ONE} [linux/arm64]`, 'registry.example/rhel/tools:latest'],
    charts: ['shop@1.4.0=https://charts.example'],
    notTaken: [
      'operator catalog: registry.example/redhat/index:v4.18 (list:8)',
      'operator catalog: registry.example/community/index:v4.18 (list:9)',
    ],
  },
  'an imgpkg ImagesLock, under the names that kbld knew': {
    file: `apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n- image: registry.example/shop/api@${SHA}\n  annotations: { kbld.carvel.dev/id: "${ONE}" }\n`,
    images: [`registry.example/shop/api@${SHA} as ${ONE}`],
  },
  'an Images.lock of dt': {
    file: `apiVersion: v0\nkind: ImagesLock\nchart: { name: shop, version: 1.4.0 }\nimages:\n  - { name: api, image: "${ONE}", chart: shop, digests: [ { digest: "${SHA}", arch: linux/amd64 } ] }\n`,
    images: [`${ONE} [linux/amd64]`],
  },
  'a skopeo sync file': {
    file: `registry.example:5000:\n  images:\n    shop/api: ["2.0.1", "${SHA}"]\n    shop/web: []\n  images-by-tag-regex: { shop/db: ^1 }\n`,
    images: ['registry.example:5000/shop/api:2.0.1', `registry.example:5000/shop/api@${SHA}`],
    notTaken: [
      'rule for tags: registry.example:5000/shop/web (all tags) (list:4)',
      'rule for tags: registry.example:5000/shop/db (^1) (list:5)',
    ],
  },
  'a regsync file': {
    file: `version: 1\ncreds: [ { registry: registry.example, user: me, pass: SECRET } ]\nsync:\n  - { source: "${ONE}", target: "m.example/api:2.0.1", type: image, platforms: [linux/arm64] }\n  - { source: registry.example/shop/web, target: m.example/web, type: repository, tags: { allow: ["1.0", "2\\\\..*"] } }\n`,
    images: [`${ONE} [linux/arm64]`, 'registry.example/shop/web:1.0'],
    notTaken: ['rule for tags: registry.example/shop/web (2\\..*) (list:5)'],
  },
  'a compose file with defaults, platforms, profiles, anchors and a build': {
    file: `x-common: &common { platform: linux/arm64 }
services:
  api: { image: "registry.example/shop/api:\${TAG:-2.0.1}", profiles: [prod] }
  web: { <<: *common, image: quay.io/demo/web:3 }
  dev: { build: . }
`,
    images: [ONE, 'quay.io/demo/web:3 [linux/arm64]'],
    groups: ['prod', 'list'],
    notTaken: ['service that is built: dev (list:5)'],
  },
  'a helmfile': {
    file: `repositories: [ { name: ex, url: registry.example/charts, oci: true }, { name: web, url: "https://charts.example" } ]
releases:
  - { name: shop, chart: ex/shop, version: 1.4.0, values: [ shop.yaml ] }
  - { name: web, chart: web/front, version: v2.0.0 }
`,
    charts: ['shop@1.4.0=oci://registry.example/charts', 'front@v2.0.0=https://charts.example'],
    notTaken: ['values of a release: shop (list:3)'],
  },
  'a Chart.yaml with images in its annotations': {
    file: `apiVersion: v2
name: shop
version: 1.4.0
annotations:
  artifacthub.io/images: |
    - { name: api, image: "${ONE}", platforms: [linux/amd64] }
  images: "- {name: cache, image: quay.io/demo/cache:7}"
dependencies:
  - { name: db, version: 1.2.3, repository: "https://charts.example" }
  - { name: near, version: 1.0.0, repository: "file://../near" }
`,
    images: [`${ONE} [linux/amd64]`, 'quay.io/demo/cache:7'],
    charts: ['db@1.2.3=https://charts.example'],
    notTaken: ['chart dependency: near 1.0.0 (list:10)'],
  },
  'a Chart.lock': {
    file: `dependencies:\n- name: db\n  repository: oci://registry.example/charts\n  version: 1.2.3\ndigest: ${SHA}\ngenerated: "2026-01-01T00:00:00Z"\n`,
    charts: ['db@1.2.3=oci://registry.example/charts'],
  },
  'a KOTS application': {
    file: `apiVersion: kots.io/v1beta1\nkind: Application\nspec: { additionalImages: [ "${ONE}" ] }\n`,
    images: [ONE],
  },
  'a CNAB bundle, pinned': {
    file: `{"schemaVersion":"v1.2.0","name":"shop","version":"0.1.0","invocationImages":[{"imageType":"docker","image":"registry.example/shop/cnab:0.1.0"}],"images":{"api":{"image":"${ONE}","contentDigest":"${SHA}"}}}`,
    images: ['registry.example/shop/cnab:0.1.0', `${ONE}@${SHA}`],
  },
  'docker images as a table': {
    file: `REPOSITORY                  TAG       IMAGE ID       CREATED       SIZE\nregistry.example/shop/api   2.0.1     4f1d0c0aa1b2   2 days ago    61.8MB\n<none>                      <none>    1f1d0c0aa1b2   2 days ago    61.8MB\n`,
    images: [ONE],
    notTaken: ['image without a name: 1f1d0c0aa1b2 (list:3)'],
  },
  'docker images as JSON lines': {
    file: `{"Repository":"registry.example/shop/api","Tag":"2.0.1","ID":"4f1d0c0aa1b2"}\n{"Repository":"quay.io/demo/web","Tag":"<none>","Digest":"${SHA}","ID":"5f1d0c0aa1b2"}\n`,
    images: [ONE, `quay.io/demo/web@${SHA}`],
  },
  'crictl images as JSON': {
    file: `{"images":[{"id":"${SHA}","repoTags":["${ONE}"],"repoDigests":[],"size":"1"}]}`,
    images: [ONE],
  },
  'the list of Migration Assistant, as before': {
    file: `charts: ["shop|1.4.0|https://charts.example"]\nimages: ["${ONE}"]\n`,
    images: [ONE],
    charts: ['shop@1.4.0=https://charts.example'],
  },
}
