import { mkdtemp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ImageContents } from '../../src/bundle/format/contents.ts'
import { rewriteManifests, type Rewritten } from '../../src/bundle/charts/post-render.ts'
import { createPrivateImages } from '../../src/bundle/charts/private-images.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import { chartYaml } from '../support/charts/pack.ts'
import { runCli } from '../support/cli.ts'
import { helmBinary, type HelmMajor } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { startSource } from '../support/source.ts'

const REGISTRY = 'private.example:8443'
const at = (rest: string): string => `${REGISTRY}/mirrored/${rest}`
const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`
const image = (name: string, own: Digest, original?: Digest): ImageContents => ({
  kind: 'image',
  name,
  digest: own,
  size: 1,
  mediaType: OCI_INDEX,
  platforms: ['linux/amd64'],
  ...(original === undefined ? {} : { original }),
})
const images = createPrivateImages(
  [
    image('docker.io/library/busybox:latest', digest('1')),
    image('docker.io/library/busybox:1.36', digest('2')),
    image('quay.io/team/app:v1', digest('3'), digest('4')),
    image('quay.io/team/app:v1.20', digest('5')),
    image('registry.example:5000/team/etcd:3.5.12', digest('6')),
  ],
  { registry: REGISTRY, path: '', prefix: 'mirrored', chartPrefix: 'charts' },
)
const rewrite = (text: string): Rewritten =>
  rewriteManifests(text, images, (name) => name.startsWith(`${REGISTRY}/`))

/** `from => to` stands for what has to become of a text; the rest has to stay, byte for byte. */
function expectRewritten(marked: string): Rewritten {
  const mark = /«(.*?) => (.*?)»/g
  const result = rewrite(marked.replaceAll(mark, '$1'))
  expect(result.text).toBe(marked.replaceAll(mark, '$2'))
  return result
}

const APP = `«quay.io/team/app:v1 => ${at('quay.io/team/app:v1')}»`
const BUSYBOX = `«busybox:1.36 => ${at('docker.io/library/busybox:1.36')}»`

describe('rewriteManifests', () => {
  it.each([
    ['an image field', `image: ${APP}`],
    ['a bare name, which means latest', `image: «busybox => ${at('docker.io/library/busybox:latest')}»`],
    ['double quotes', `image: "${APP}"  # busybox:1.36 in a comment stays`],
    ['single quotes', `image: '${BUSYBOX}'`],
    ['a folded text', `image: >-\n  ${APP}`],
    ['a literal text', `image: |-\n  ${APP}`],
    ['a JSON object', `{"image": "${APP}", "tag": "v1"}`],
    [
      'another name of the registry',
      `image: «mirror.gcr.io/library/busybox:1.36 => ${at('docker.io/library/busybox:1.36')}»`,
    ],
    [
      'a registry with a port',
      `image: «registry.example:5000/team/etcd:3.5.12 => ${at('registry.example-5000/team/etcd:3.5.12')}»`,
    ],
    [
      'a digest from before platforms were left out',
      `image: «quay.io/team/app@${digest('4')} => ${at(`quay.io/team/app@${digest('3')}`)}»`,
    ],
    [
      'tag and digest',
      `image: «quay.io/team/app:v1@${digest('3')} => ${at(`quay.io/team/app:v1@${digest('3')}`)}»`,
    ],
    ['an argument', `args: ["--sidecar-image=${BUSYBOX}", --loud, "--x=${APP}"]`],
    [
      'an argument after its flag',
      `args:\n  - --sidecar-image\n  - ${BUSYBOX}\n  - --other\n  - busybox:1.36`,
    ],
    [
      'a repository to which a program adds the version',
      `args:\n  - --base-image=«quay.io/team/app => ${at('quay.io/team/app')}»`,
    ],
    ['a shell command', `command: [sh, -c, "run --image ${APP} && echo busybox:1.36"]`],
    [
      'a variable',
      `env:\n  - name: SIDECAR_IMAGE\n    value: ${BUSYBOX}\n  - name: TITLE\n    value: busybox:1.36`,
    ],
    [
      'lines of a variable',
      `env:\n  - name: IMAGES\n    value: |\n      # by version\n      1.0=${APP}\n      2.0=«quay.io/team/app:v1.20 => ${at('quay.io/team/app:v1.20')}»\n`,
    ],
    ['escaped lines of a variable', `env:\n  - name: X\n    value: "1.0=${APP}\\n2.0=${APP}\\n${APP}"`],
    ['a list joined by commas', `env:\n  - name: X\n    value: ${APP},${APP}`],
    [
      'a field of a custom resource',
      `spec:\n  initImage: ${APP}\n  baseImage: «quay.io/team/app => ${at('quay.io/team/app')}»`,
    ],
    [
      'a repository and its tag',
      `spec:\n  x:\n    repository: «quay.io/team/app => ${at('quay.io/team/app')}»\n    tag: v1.20`,
    ],
    [
      'a registry, a repository and its tag',
      `spec:\n  x:\n    registry: «quay.io => ${REGISTRY}»\n    repository: «team/app => mirrored/quay.io/team/app»\n    tag: "v1"`,
    ],
    [
      'an image and its version',
      `spec:\n  image: «quay.io/team/app => ${at('quay.io/team/app')}»\n  version: v1`,
    ],
    [
      'a config file in a config map',
      `kind: ConfigMap\ndata:\n  config.yaml: |\n    # image: ${BUSYBOX}\n    sidecar:\n      image: "${BUSYBOX}"\n    other: ${APP}\n`,
    ],
    ['what an anchor stands for', `a:\n  image: &x ${APP}\nb:\n  image: *x`],
  ])('rewrites %s', (_, text) => {
    expectRewritten(`# Source: chart/templates/x.yaml\n\n${text}\n`)
  })

  it.each([
    [
      'labels and selectors',
      'metadata:\n  labels: {image: "busybox:1.36"}\nspec:\n  selector: {image: "busybox:1.36"}',
    ],
    ['names of keys', 'spec:\n  quay.io/team/app:v1: x'],
    [
      'short names where no image is spoken of',
      'metadata:\n  annotations: {note: "busybox:1.36"}\nspec: {host: "busybox:1.36"}',
    ],
    ['addresses on the web', 'spec: {url: "https://quay.io/team/app:v1"}'],
    ['pull policies and secrets', 'spec:\n  imagePullPolicy: Always\n  imagePullSecrets: [{name: busybox}]'],
    ['versions the bundle does not have', 'spec: {image: "quay.io/team/app:v2"}'],
    ['a repository in a note', 'metadata: {annotations: {source: quay.io/team/app}}'],
    ['a repository whose version is not there', 'spec: {x: {repository: quay.io/team/app, tag: v9}}'],
    ['a name that istio fills in', 'spec: {containers: [{name: istio-proxy, image: auto}]}'],
    ['what is private already', `spec: {image: "${at('quay.io/team/app:v1')}"}`],
    [
      'descriptions of custom resources',
      'kind: CustomResourceDefinition\nspec: {description: "as in quay.io/team/app:v1", default: {image: busybox}}',
    ],
  ])('leaves %s alone', (_, text) => {
    expect(rewrite(`${text}\n`).text).toBe(`${text}\n`)
  })

  it('keeps every other byte of several documents: comments, line ends, order, spacing', () => {
    const { replaced, open } = expectRewritten(
      `---\r\n# Source: a\r\nb:   1\r\na: [ ${APP} ,  2 ]\r\n---\n\n---\n# only a comment\n---\nimage:    "${BUSYBOX}"   # héllo\n...\n`,
    )
    expect([...replaced.keys()]).toEqual(['quay.io/team/app:v1', 'busybox:1.36'])
    expect(open).toEqual([])
  })

  it('decodes, rewrites and encodes a secret', () => {
    const encoded = (text: string): string => Buffer.from(text).toString('base64')
    const [from, to] = ['a: 1\nimage: quay.io/team/app:v1\n', `a: 1\nimage: ${at('quay.io/team/app:v1')}\n`]
    expectRewritten(
      `kind: Secret\ndata:\n  config: «${encoded(from)} => ${encoded(to)}»\n  password: aHVudGVyMg==\n  key: "/+8="\nstringData:\n  x: ${APP}\n`,
    )
  })

  it('names what it does not have, once, and nothing that is no reference', () => {
    const { open } = rewrite(
      `image: docker.io/other/app:1\n---\nspec:\n  image: docker.io/other/app:1\n  args: ["--image=ghcr.io/other/tool:2", "quay.io/team/app:v1"]\n  port: 8080\n`,
    )
    expect(open).toEqual(['docker.io/other/app:1', 'ghcr.io/other/tool:2'])
  })

  it('takes what helm renders to be empty', () => {
    expect(rewrite('')).toEqual({ text: '', replaced: new Map(), open: [] })
  })

  it('refuses what is not YAML', () => {
    expect(() => rewrite('image: "x\n')).toThrow(/not YAML/)
  })
})

describe('as a post-renderer of a real helm', () => {
  let folder: string
  const app = (seed: string): BuiltImage =>
    buildIndex(
      ['linux/amd64', 'linux/arm64'].map((platform) => buildImage([layerOf({ app: seed })], { platform })),
    )
  const etcd = app('etcd')
  const built = { 'library/busybox:1.36': app('busybox'), 'team/etcd:3.5.12': etcd }

  const template = `# A literal that no value reaches.
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db, labels: { image: "busybox:1.36" } }
spec:
  template:
    spec:
      initContainers:
        - name: config   # keeps its place
          image:   busybox:1.36
      containers:
        - name: etcd
          image: 'quay.io/team/etcd:3.5.12@${etcd.digest}'
          args: [--helper-image, "busybox:1.36"]
        - name: other
          image: quay.io/team/unknown:1
`
  const hook = `apiVersion: v1
kind: Pod
metadata: { name: test, annotations: { helm.sh/hook: post-install } }
spec:
  containers: [{ name: test, image: "busybox:1.36" }]
`

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'post render '))
    const chart: Record<string, string> = {
      'Chart.yaml': chartYaml('literal'),
      'templates/db.yaml': template,
      'templates/hook.yaml': hook,
    }
    for (const [path, text] of Object.entries(chart)) {
      await mkdir(dirname(join(folder, 'chart', path)), { recursive: true })
      await writeFile(join(folder, 'chart', path), text)
    }
    const source = await startSource({ images: built })
    try {
      await writeFile(
        join(folder, 'spec.yaml'),
        `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: literal\nversion: 1.0.0\nmirrors: { docker.io: ["${source.host}"], quay.io: ["${source.host}"] }\ngroups:\n  - name: all\n    images: [busybox:1.36, quay.io/team/etcd:3.5.12]\n`,
      )
      const args = ['export', 'bundle.tar', '--spec', 'spec.yaml', '--platform', 'linux/arm64']
      expect(await runCli([...args, '--quiet'], { cwd: folder })).toMatchObject({ code: 0 })
    } finally {
      await source.stop()
    }
    const plugin = ['--write-plugin', join('plugins', "it's one")]
    const to = ['post-render', 'bundle.tar', '--registry', `${REGISTRY}/team`, '--prefix', 'own/images']
    expect(await runCli([...to, ...plugin], { cwd: folder })).toMatchObject({ code: 0, stderr: '' })
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** The digest of the list of the one platform that was carried. */
  async function bundled(name: string): Promise<string> {
    const { stdout } = await runCli(['inspect', 'bundle.tar', '--json'], { cwd: folder })
    const { result } = JSON.parse(stdout) as { result: { roots: readonly ImageContents[] } }
    return result.roots.find((root) => root.name === name)?.digest ?? ''
  }

  const plugin = (): string => join(folder, 'plugins', "it's one")
  const PLACE = `${REGISTRY}/team/own/images`
  /** Everything but the line of the labels. */
  const expected = (text: string, etcdDigest: string): string =>
    text
      .replaceAll(/^(?!.*labels).*busybox:1\.36.*$/gm, (line) =>
        line.replace('busybox:1.36', `${PLACE}/docker.io/library/busybox:1.36`),
      )
      .replaceAll(
        `quay.io/team/etcd:3.5.12@${etcd.digest}`,
        `${PLACE}/quay.io/team/etcd:3.5.12@${etcdDigest}`,
      )

  async function render(major: HelmMajor, ...args: readonly string[]) {
    const env = { HOME: folder, PATH: process.env.PATH ?? '', HELM_PLUGINS: join(folder, 'plugins') }
    return runProgram(await helmBinary(major), ['template', 'x', 'chart', ...args], { cwd: folder, env })
  }

  const viaArguments = (): string[] => [
    '--post-renderer',
    process.execPath,
    ...[
      join(import.meta.dirname, '..', '..', 'src', 'cli.ts'),
      'post-render',
      'bundle.tar',
      `--registry=${REGISTRY}/team`,
      '--prefix=own/images',
    ].flatMap((arg) => ['--post-renderer-args', arg]),
  ]

  // Helm 3 keeps hooks from its post-renderers: https://github.com/helm/helm/issues/7891
  it.each([
    ['the script', () => ['--post-renderer', join(plugin(), 'post-render.sh')]],
    ['this program with arguments', viaArguments],
  ])('helm 3 renders every byte the same but for the references, by %s', async (_, args) => {
    const before = (await render(3, '--no-hooks')).stdout.toString()
    const after = (await render(3, '--no-hooks', ...args())).stdout.toString()
    expect(before).toContain('busybox:1.36')
    const digest = await bundled('quay.io/team/etcd:3.5.12')
    expect(digest).not.toBe(etcd.digest)
    expect(after).toBe(expected(before, digest))
  })

  it('helm 4 renders the same objects but for the references, hooks too', async () => {
    const before = (await render(4)).stdout.toString()
    const after = (await render(4, '--post-renderer', 'ma-bundle')).stdout.toString()
    const digest = await bundled('quay.io/team/etcd:3.5.12')
    // Helm 4 writes what comes from a post-renderer anew.
    expect(objects(after)).toEqual(objects(expected(before, digest)))
  })

  it('writes a plugin that a real helm 4 installs', async () => {
    const env = { HOME: folder, PATH: process.env.PATH ?? '' }
    const helm = await helmBinary(4)
    await runProgram(helm, ['plugin', 'install', plugin()], { cwd: folder, env })
    const { stdout } = await runProgram(helm, ['plugin', 'list'], { cwd: folder, env })
    expect(stdout.toString()).toMatch(/^ma-bundle\s+1\.0\.0\s+postrenderer\/v1/m)
    expect((await stat(join(plugin(), 'post-render.sh'))).mode & 0o111).toBe(0o111)
    expect(await readFile(join(plugin(), 'plugin.yaml'), 'utf8')).not.toContain(folder)
  })

  const pipe = (stdin: string, ...args: readonly string[]) =>
    runCli(['post-render', 'bundle.tar', '--registry', REGISTRY, ...args], { cwd: folder, stdin })

  it('says what it did, and lists what is left under --verbose', async () => {
    const plain = await pipe(template)
    expect(plain.stderr).toBe(
      `2 references rewritten to ${REGISTRY}\n1 reference to other registries left, not in the bundle (--verbose lists them)\n`,
    )
    const verbose = await pipe(template, '--verbose')
    expect(verbose.stderr).toContain(`  busybox:1.36 -> ${at('docker.io/library/busybox:1.36')}\n`)
    expect(verbose.stderr).toContain('  quay.io/team/unknown:1\n')
    expect(verbose.stdout).toBe(plain.stdout)
  })

  it('fails under --strict, with nothing on standard output that helm could install', async () => {
    const { code, stdout, stderr } = await pipe(template, '--strict')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('  quay.io/team/unknown:1\n')
    expect(await pipe(hook, '--strict')).toMatchObject({ code: 0 })
  })

  it('refuses what is not YAML', async () => {
    expect(await pipe('image: "x\n')).toMatchObject({ code: 2, stdout: '' })
  })
})

/** What a render holds, in any order. */
const objects = (text: string): readonly string[] =>
  parseAllDocuments(text)
    .map((document) => JSON.stringify('toJS' in document ? document.toJS() : null))
    .toSorted()
