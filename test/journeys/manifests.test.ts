import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary, kubectlBinary } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, noise } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let registry: DockerRegistry
let web: string
const at = (name: string): string => join(folder, name)
const read = (name: string): string => readFileSync(at(name), 'utf8')
const sha = (name: string): string =>
  createHash('sha256')
    .update(readFileSync(at(name)))
    .digest('hex')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-manifests-'))
  const image = (seed: number, platform: string) =>
    buildImage([layerOf({ own: noise(600, seed) })], { platform })
  const pinned = buildIndex([image(4, 'linux/amd64'), image(5, 'linux/s390x')])
  source = await startSource({
    images: {
      'shop/web:3': image(1, 'linux/amd64'),
      'shop/job:1': image(2, 'linux/amd64'),
      'shop/side:2.0': image(3, 'linux/amd64'),
      'shop/pin:1': pinned,
    },
  })
  registry = await startDockerRegistry()
  const { host } = source
  mkdirSync(at('k8s'))
  web = `# the shop, as it was written
apiVersion: apps/v1
kind: Deployment
metadata:
    name: web   # four blanks
    labels: { app: "web" }
spec:
    template:
        spec:
            initContainers:
            -   {name: init, image: '${host}/shop/job:1'}
            containers:
            - name: web
              image: "${host}/shop/web:3"     # keep me
              args: ["--sidecar-image=${host}/shop/side:2.0", 'x']
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data:
  note: |
    nothing is pulled from example.com
`
  writeFileSync(at('k8s/web.yaml'), web)
  writeFileSync(
    at('k8s/pin.yaml'),
    `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: ${host}/shop/pin@${pinned.digest}}]}\n`,
  )
  writeFileSync(
    at('spec.yaml'),
    `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: shop\nversion: '1'\ngroups:\n  - name: shop\n    manifests: [./k8s/]\n`,
  )
})

afterAll(async () => {
  await source.stop()
  await registry.stop()
  rmSync(folder, { recursive: true, force: true })
})

const run = (...args: string[]): Promise<Outcome> => runShell([...args, '--json'])
const privateHost = (): string => `${registry.host}/mirrored/${source.host.replace(':', '-')}`

describe('manifests in a bundle', () => {
  it('come out of an import with private images, and not one other byte changed', async () => {
    expect(await run('export', at('b.tar'), '--spec', at('spec.yaml'), '--no-prove')).toMatchObject({
      code: 0,
    })
    const imported = await runShell([
      'import',
      at('b.tar'),
      '--registry',
      registry.host,
      '--values',
      at('v.yaml'),
    ])
    expect(imported).toMatchObject({ code: 0 })
    expect(imported.stdout).toContain(
      'Wrote 2 manifests to v.manifests/: 4 references to the private registry, none still public.',
    )
    expect(readdirSync(at('v.manifests')).toSorted()).toEqual(['kustomize', 'pin.yaml', 'web.yaml'])
    expect(read('v.manifests/web.yaml')).toBe(web.replaceAll(source.host, privateHost()))
    expect(read('v.manifests/pin.yaml')).toContain(`${privateHost()}/shop/pin@sha256:`)
    expect(await run('verify', at('b.tar'), '--registry', registry.host)).toMatchObject({ code: 0 })
  })

  it('have a kustomize component beside them that does the same for those who keep theirs', async () => {
    const kubectl = await kubectlBinary()
    writeFileSync(
      at('kustomization.yaml'),
      'resources: [k8s/web.yaml]\ncomponents: [v.manifests/kustomize]\n',
    )
    const built = execFileSync(kubectl, ['kustomize', folder], { encoding: 'utf8' })
    expect(built).toContain(`image: ${privateHost()}/shop/web:3`)
    expect(built).toContain(`image: ${privateHost()}/shop/job:1`)
    rmSync(at('kustomization.yaml'))
  })

  it('travel in the lock: it makes the same bundle without the files', async () => {
    const before = sha('b.tar')
    const again = await run('export', at('again.tar'), '--lock', at('b.tar.lock.json'))
    expect(again).toMatchObject({ code: 0 })
    expect(sha('again.tar')).toBe(before)
  })

  it('are covered by the proof, and an image that is left out is named there and at import', async () => {
    const helm = await helmBinary(4)
    // Without charts nothing has to be rendered.
    const proven = await runShell(['prove', at('b.tar')], { env: { PATH: folder } })
    expect(proven).toMatchObject({ code: 0 })
    expect(proven.stdout).toBe('Proof: 4 references of 2 manifests bound, none still public.\n')
    const made = await run(
      'export',
      at('part.tar'),
      '--manifests',
      at('k8s/web.yaml'),
      '--exclude',
      '*/shop/side*',
      '--no-prove',
    )
    expect(made).toMatchObject({ code: 0 })
    const open = await run('prove', at('part.tar'), '--helm', helm)
    expect(open).toMatchObject({ code: 1 })
    expect(open.stderr).toContain(`web.yaml: ${source.host}/shop/side:2.0`)
    const imported = await run(
      'import',
      at('part.tar'),
      '--registry',
      registry.host,
      '--values',
      at('p.yaml'),
    )
    const result = imported.json.find(({ type }) => type === 'result')?.['result']
    expect(result).toMatchObject({
      manifests: {
        folder: 'p.manifests',
        files: [{ name: 'web.yaml', replaced: 2, open: [`${source.host}/shop/side:2.0`] }],
      },
    })
  })

  it('are read from wherever they lie, and refused when they are none', async () => {
    const none = await run('export', at('x.tar'), '--manifests', at('none.yaml'))
    expect(none).toMatchObject({ code: 2 })
    expect(none.stderr).toContain('cannot read the manifest')
    writeFileSync(at('list.txt'), 'quay.io/a/b:1\n')
    const list = await run('export', at('x.tar'), '--manifests', at('list.txt'))
    expect(list).toMatchObject({ code: 2 })
    expect(list.stderr).toContain('holds no Kubernetes object')
  })
})
