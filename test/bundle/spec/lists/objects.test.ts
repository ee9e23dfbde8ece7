import { describe, expect, it } from 'vitest'
import { readLists } from './read-lists.ts'

const pod = (image: string): string => `containers: [ { name: c, image: "${image}" } ]`

describe('Kubernetes objects', () => {
  it('give their images in every place: pods, jobs, custom resources, arguments, variables, image volumes', async () => {
    const { images } = await readLists({
      'all.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  template:
    spec:
      initContainers: [ { name: i, image: quay.io/demo/init:1 } ]
      containers:
        - name: c
          image: registry.example/shop/api:2.0.1
          args: [ "--sidecar-image=quay.io/demo/sidecar:3" ]
          env: [ { name: JOB_IMAGE, value: "quay.io/demo/job:4" } ]
      volumes: [ { name: v, image: { reference: "quay.io/demo/data:5" } }, { name: r, rbd: { image: disk } } ]
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: nightly }
spec: { jobTemplate: { spec: { template: { spec: { ${pod('busybox')} } } } } }
---
apiVersion: example.com/v1
kind: Cluster
metadata: { name: db }
spec: { imageName: "ghcr.io/demo/postgres:17.2" }
---
apiVersion: v1
kind: Service
metadata: { name: s }
`,
    })
    expect(images.toSorted()).toEqual(
      [
        'docker.io/library/busybox:latest',
        'ghcr.io/demo/postgres:17.2',
        'quay.io/demo/data:5',
        'quay.io/demo/init:1',
        'quay.io/demo/job:4',
        'quay.io/demo/sidecar:3',
        'registry.example/shop/api:2.0.1',
      ].toSorted(),
    )
  })

  it('are read as kubectl prints them, without what was', async () => {
    const item = (kind: string, name: string, spec: object, more: object = {}): object => ({
      apiVersion: 'apps/v1',
      kind,
      metadata: {
        name,
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"image":"quay.io/demo/old:0"}' },
      },
      spec,
      status: { containerStatuses: [{ image: 'quay.io/demo/seen:9' }] },
      ...more,
    })
    const template = { spec: { containers: [{ name: 'c', image: 'quay.io/demo/web:3' }] } }
    const owner = { metadata: { name: 'web-1', ownerReferences: [{ kind: 'Deployment', name: 'web' }] } }
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [
        item('Deployment', 'web', { template }),
        item('ReplicaSet', 'web-1', { replicas: 0, template }, owner),
      ],
    }
    for (const text of [JSON.stringify(list), JSON.stringify(list, undefined, 2)]) {
      const { images, notTaken } = await readLists({ 'get.json': text })
      expect(images).toEqual(['quay.io/demo/web:3'])
      expect(notTaken).toEqual([expect.stringContaining('old ReplicaSet: ReplicaSet web-1')])
    }
  })

  it('name charts: Flux with the repository in another file, OCI, Argo CD in both forms', async () => {
    const { charts, images, notTaken } = await readLists(
      {
        'flux/release.yaml': `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: { name: shop, namespace: apps }
spec:
  chart: { spec: { chart: shop, version: 1.4.0, sourceRef: { kind: HelmRepository, name: ex, namespace: flux-system } } }
  values: { a: 1 }
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: { name: podinfo, namespace: apps }
spec: { chartRef: { kind: OCIRepository, name: podinfo } }
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: { name: range, namespace: apps }
spec: { chart: { spec: { chart: range, version: "6.x", sourceRef: { kind: HelmRepository, name: ex } } } }
`,
        'flux/sources.yaml': `apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: { name: ex, namespace: flux-system }
spec: { url: "https://charts.example" }
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: { name: podinfo, namespace: apps }
spec: { url: "oci://registry.example/charts/podinfo", ref: { tag: 6.9.0 } }
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: apps }
spec: { images: [ { name: nginx, newName: registry.example/nginx, newTag: "1.27" } ] }
`,
        'argo.yaml': `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: grafana }
spec:
  sources:
    - { repoURL: "https://grafana.example/charts", chart: grafana, targetRevision: 8.15.0 }
    - { repoURL: registry.example/charts, chart: web, targetRevision: v2.0.0 }
    - { repoURL: "oci://registry.example/charts/db", targetRevision: 1.2.3, path: . }
    - { repoURL: "https://git.example/shop", path: deploy, targetRevision: main }
status: { summary: { images: [ "quay.io/demo/live:1" ] } }
`,
      },
      { specs: ['flux', 'argo.yaml'] },
    )
    expect(charts.toSorted()).toEqual([
      'db@1.2.3=oci://registry.example/charts',
      'grafana@8.15.0=https://grafana.example/charts',
      'podinfo@6.9.0=oci://registry.example/charts',
      'shop@1.4.0=https://charts.example',
      'web@v2.0.0=oci://registry.example/charts',
    ])
    expect(images).toEqual(['registry.example/nginx:1.27', 'quay.io/demo/live:1'])
    expect(notTaken.map((one) => one.replace(/ \(.*/, ''))).toEqual([
      'values of a release: HelmRelease apps/shop',
      'chart: range of HelmRelease apps/range',
      'application in git: Application grafana',
    ])
  })

  it('that are templates, or what kustomize reads, are refused with the command that renders them', async () => {
    const template = 'apiVersion: v1\nkind: Pod\nmetadata: { name: {{ .Release.Name }} }\n'
    await expect(readLists({ 'pod.yaml': template })).rejects.toMatchObject({
      message: expect.stringContaining('pod.yaml:3: this is a template that is not rendered yet'),
      next: expect.stringContaining('helm template'),
    })
    const kustomization = 'resources: [a.yaml]\nimages: [ { name: nginx, newTag: "1" } ]\n'
    await expect(
      readLists({ 'k/kustomization.yaml': kustomization, 'k/a.yaml': 'kind: A\n' }, { specs: ['k'] }),
    ).rejects.toMatchObject({
      next: expect.stringMatching(/^run: kubectl kustomize \S+\/k \| ma-bundle export <bundle> --spec -$/),
    })
    const variable = `apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec:\n  containers:\n    - { name: c, image: "quay.io/demo/web:\${TAG}" }\n`
    await expect(readLists({ 'pod.yaml': variable })).rejects.toThrow(
      /pod\.yaml:6: "quay\.io\/demo\/web:\$\{TAG\}" of Pod p is a template: \$\{TAG\} has to be filled in first/,
    )
  })
})
