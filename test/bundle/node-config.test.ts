import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Contents, ImageContents } from '../../src/bundle/format/contents.ts'
import type { Layout } from '../../src/bundle/format/destination.ts'
import { registryNames, unboundImages } from '../../src/bundle/charts/nodes/images.ts'
import { nodeConfig, NODE_FORMATS } from '../../src/bundle/charts/nodes/nodes.ts'
import type { Binding } from '../../src/helm/values/binding.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import { runCli } from '../support/cli.ts'
import { startContainerd, type Containerd } from '../support/containerd.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { buildImage, buildIndex, layerOf, pushImage, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { startSource } from '../support/source.ts'

const ECR = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
const layoutAt = (registry: string, path = ''): Layout => ({
  registry,
  path,
  prefix: 'mirrored',
  chartPrefix: 'charts',
})
const imageNamed = (name: string, more: Partial<ImageContents> = {}): ImageContents => ({
  kind: 'image',
  name,
  digest: digestOf(new TextEncoder().encode(name)),
  size: 1,
  mediaType: OCI_INDEX,
  platforms: ['linux/amd64'],
  ...more,
})
const images = [
  imageNamed('docker.io/library/busybox:1.36'),
  imageNamed('docker.io/grafana/grafana:11.6.1'),
  imageNamed('mirror.gcr.io/library/redis:7.2'),
  imageNamed('quay.io/jetstack/cert-manager-webhook:v1.17.2'),
  imageNamed('registry.example:5000/team/app:1'),
]
const names = ['docker.io', 'mirror.gcr.io', 'quay.io', 'registry.example:5000']

describe.each(NODE_FORMATS)('%s', (format) => {
  it('is the same for the same images in any order, and ends its lines', () => {
    const layout = layoutAt(ECR, 'team/shared')
    const files = nodeConfig(format, images, layout, names)
    expect(nodeConfig(format, images.toReversed(), layout, names).map(({ path }) => path)).toEqual(
      files.map(({ path }) => path),
    )
    for (const { text } of files) {
      expect(text.endsWith('\n')).toBe(true)
      expect(text).toContain('team/shared/mirrored/')
    }
    expect(files[0]?.text).toContain('team/shared/mirrored/docker.io')
  })
})

describe('containerd', () => {
  it('has one valid file for each name of a registry that pods use, and no way out to the public one', () => {
    const files = nodeConfig('containerd', images, layoutAt(ECR), names)
    expect(files.map(({ path }) => path)).toEqual([
      'docker.io/hosts.toml',
      'mirror.gcr.io/hosts.toml',
      'quay.io/hosts.toml',
      'registry.example:5000/hosts.toml',
    ])
    for (const { text } of files) {
      const { server, host, ...top } = Bun.TOML.parse(text) as {
        server: string
        host: Record<string, object>
      }
      const hosts = Object.entries(host)
      expect(hosts.at(-1)?.[0]).toBe(server)
      expect(server.startsWith(`https://${ECR}/v2/mirrored/`)).toBe(true)
      for (const settings of [top, ...hosts.map(([, settings]) => settings)]) {
        expect(settings).toEqual({
          capabilities: ['pull', 'resolve'],
          override_path: true,
          header: { authorization: 'Basic <token>' },
        })
      }
    }
    const both = [`https://${ECR}/v2/mirrored/docker.io`, `https://${ECR}/v2/mirrored/mirror.gcr.io`]
    const docker = Bun.TOML.parse(files[0]?.text ?? '') as { host: object }
    expect(Object.keys(docker.host)).toEqual(both)
    expect(files[3]?.text).toContain('/v2/mirrored/registry.example-5000"')
  })

  it('speaks plain http to loopback only', () => {
    const [file] = nodeConfig('containerd', images, layoutAt('localhost:5000'))
    expect(file?.text).toContain('server = "http://localhost:5000/v2/mirrored/')
    expect(file?.text).not.toContain('https://localhost')
  })
})

describe('k3s', () => {
  it('is valid, and its rewrites lead each repository to one place', () => {
    const [file] = nodeConfig('k3s', images, layoutAt(ECR), names)
    const { mirrors } = parse(file?.text ?? '') as {
      mirrors: Record<string, { endpoint: string[]; rewrite: Record<string, string> }>
    }
    expect(Object.keys(mirrors)).toEqual(names)
    const rewritten = (registry: string, repository: string): string[] =>
      Object.entries(mirrors[registry]?.rewrite ?? {}).flatMap(([from, to]) =>
        new RegExp(from).test(repository) ? [repository.replace(new RegExp(from), to)] : [],
      )
    expect(rewritten('quay.io', 'jetstack/cert-manager-webhook')).toEqual([
      'mirrored/quay.io/jetstack/cert-manager-webhook',
    ])
    expect(rewritten('docker.io', 'library/busybox')).toEqual(['mirrored/docker.io/library/busybox'])
    expect(rewritten('mirror.gcr.io', 'library/busybox')).toEqual(['mirrored/docker.io/library/busybox'])
    expect(rewritten('docker.io', 'library/redis')).toEqual(['mirrored/mirror.gcr.io/library/redis'])
    expect(mirrors['quay.io']?.endpoint).toEqual([`https://${ECR}`])
  })
})

describe('bottlerocket', () => {
  it('is valid user data: a list of mirrors with their endpoints', () => {
    const [file] = nodeConfig('bottlerocket', images, layoutAt(ECR), names)
    expect(Bun.TOML.parse(file?.text ?? '')).toEqual({
      settings: {
        'container-registry': {
          mirrors: names.map((registry) => ({
            registry,
            endpoint: /docker|gcr/.test(registry)
              ? [`https://${ECR}/v2/mirrored/docker.io`, `https://${ECR}/v2/mirrored/mirror.gcr.io`]
              : [`https://${ECR}/v2/mirrored/${registry.replace(':', '-')}`],
          })),
        },
      },
    })
  })
})

describe('kyverno', () => {
  const original = `sha256:${'a'.repeat(64)}` as const
  const pinned = imageNamed('quay.io/team/pinned:2', { original })
  const [file] = nodeConfig('kyverno', [...images, pinned], layoutAt(ECR))
  const policy = parse(file?.text ?? '') as {
    spec: {
      rules: {
        context: { variable: { value: Record<string, string> } }[]
        mutate: { foreach: { list: string; patchesJson6902: string }[] }
      }[]
    }
  }

  it('has a rule for each list of containers, each with the same table', () => {
    expect(policy.spec.rules.map(({ mutate }) => mutate.foreach[0]?.list)).toEqual([
      'request.object.spec.initContainers || `[]`',
      'request.object.spec.containers || `[]`',
      'request.object.spec.ephemeralContainers || `[]`',
    ])
    const tables = policy.spec.rules.map(({ context }) => context[0]?.variable.value)
    expect(tables[1]).toEqual(tables[0])
    expect(tables[2]).toEqual(tables[0])
  })

  it('covers exactly the images, by tag, by digest and by the digest before platforms were left out', () => {
    const table = policy.spec.rules[0]?.context[0]?.variable.value ?? {}
    const target = `${ECR}/mirrored/quay.io/team/pinned`
    expect(Object.entries(table).filter(([from]) => from.startsWith('quay.io/team/'))).toEqual([
      ['quay.io/team/pinned:2', `${target}:2`],
      [`quay.io/team/pinned@${pinned.digest}`, `${target}@${pinned.digest}`],
      [`quay.io/team/pinned@${original}`, `${target}@${pinned.digest}`],
    ])
    // Kyverno leaves `busybox` without library/.
    for (const name of ['docker.io/busybox:1.36', 'mirror.gcr.io/library/busybox:1.36']) {
      expect(table[name]).toBe(`${ECR}/mirrored/docker.io/library/busybox:1.36`)
    }
    expect(table['docker.io/library/busybox:1.35']).toBeUndefined()
  })
})

describe('a node of containerd with these files', () => {
  let folder: string
  let containerd: Containerd
  let plain: DockerRegistry
  let ecr: Ecr
  const app = (seed: string, platform = 'linux/amd64'): BuiltImage =>
    buildImage([layerOf({ [`etc/${seed}`]: seed })], { platform })
  const built: Readonly<Record<string, BuiltImage>> = {
    'docker.io/library/busybox:1.36': buildIndex([app('busybox'), app('busybox-arm', 'linux/arm64')]),
    'mirror.gcr.io/library/redis:7.2': app('redis'),
    'quay.io/jetstack/cert-manager-webhook:v1.17.2': app('webhook'),
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'node-config-'))
    containerd = await startContainerd()
    plain = await startDockerRegistry()
    ecr = await startEcr({ quotas: 'none', createOnPush: true })
    for (const [name, image] of Object.entries(built)) {
      const [path = '', tag] = name.split(':')
      await pushImage(`http://${plain.host}`, `team/mirrored/${path}`, tag, image)
    }
  })
  afterAll(async () => {
    await containerd.stop()
    await Promise.all([plain.stop(), ecr.stop()])
    await rm(folder, { recursive: true })
  })

  async function write(to: string, layout: Layout, change = (text: string): string => text): Promise<string> {
    const hostsDir = join(folder, to)
    for (const { path, text } of nodeConfig('containerd', images, layout, names)) {
      await mkdir(join(hostsDir, path, '..'), { recursive: true })
      await writeFile(join(hostsDir, path), change(text))
    }
    return hostsDir
  }

  it.each([
    ['docker.io/library/busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['mirror.gcr.io/library/busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['docker.io/library/redis:7.2', 'mirror.gcr.io/library/redis:7.2'],
    ['quay.io/jetstack/cert-manager-webhook:v1.17.2', 'quay.io/jetstack/cert-manager-webhook:v1.17.2'],
  ])('pulls %s, below a path of its own', async (reference, name) => {
    const hostsDir = await write('plain', layoutAt(plain.host, 'team'))
    expect(await containerd.pull(reference, { hostsDir })).toEqual({ digest: built[name]?.digest })
  })

  it('pulls by digest', async () => {
    const hostsDir = await write('plain', layoutAt(plain.host, 'team'))
    const digest = built['docker.io/library/busybox:1.36']?.digest ?? ''
    const reference = `docker.io/library/busybox@${digest}`
    expect(await containerd.pull(reference, { hostsDir })).toEqual({ digest })
  })

  it('fails for what is not there with the words of the private registry, and asks nobody else', async () => {
    const hostsDir = await write('plain', layoutAt(plain.host, 'team'))
    await expect(containerd.pull('quay.io/jetstack/unknown:1', { hostsDir })).rejects.toThrow(
      /quay\.io\/jetstack\/unknown:1.*not found/,
    )
  })

  it('pulls from ECR over TLS with its CA and the token in the header', async () => {
    const image = built['quay.io/jetstack/cert-manager-webhook:v1.17.2']
    if (image === undefined) throw new Error('no image')
    const authorization = `Basic ${ecr.token()}`
    const repository = 'mirrored/quay.io/jetstack/cert-manager-webhook'
    ecr.createRepository(repository)
    await runProgram('skopeo', [
      '--insecure-policy',
      'copy',
      '--src-tls-verify=false',
      '--dest-cert-dir',
      dirname(ecr.caFile),
      '--dest-creds',
      Buffer.from(ecr.token(), 'base64').toString(),
      `docker://${plain.host}/team/${repository}:v1.17.2`,
      `docker://${ecr.registry}/${repository}:v1.17.2`,
    ])
    const hostsDir = await write('ecr', layoutAt(ECR), (text) =>
      text
        .replaceAll(ECR, ecr.registry)
        .replaceAll('override_path = true', `override_path = true\nca = "${ecr.caFile}"`)
        .replaceAll(/Basic [^"]*/g, authorization),
    )
    const reference = 'quay.io/jetstack/cert-manager-webhook:v1.17.2'
    const missing = 'quay.io/jetstack/cert-manager-webhook:v0'
    await expect(containerd.pull(missing, { hostsDir })).rejects.toThrow(/:v0: not found/)
    ecr.log.clear()
    expect(await containerd.pull(reference, { hostsDir })).toEqual({ digest: image.digest })
    expect(ecr.log.requests('HEAD', /manifests\/v1\.17\.2$/, 'dkr').map(({ status }) => status)).toEqual([
      200,
    ])
  })
})

describe('unboundImages', () => {
  const binding = (reference: string): Binding => ({
    path: ['image'],
    leaves: [],
    reference,
    references: [reference],
    recipes: [],
    where: 'image',
    at: [],
    proven: true,
  })
  const contents: Contents = {
    format: 'ma-bundle/1',
    name: 'x',
    roots: [
      imageNamed('docker.io/library/busybox:1.36'),
      imageNamed('quay.io/team/bound:1'),
      imageNamed('quay.io/team/both:1'),
      imageNamed('quay.io/team/compiled-in:1'),
      imageNamed('quay.io/team/unproven:1'),
    ],
    spec: 'images: [busybox:1.36, quay.io/team/bound:1, quay.io/team/both:1, quay.io/team/compiled-in:1, quay.io/team/unproven:1]',
    bound: [
      {
        chart: 'a',
        version: '1',
        rendered: true,
        bindings: [binding('quay.io/team/bound:1'), binding('quay.io/team/both:1')],
        notLanded: [{ path: 'x', reference: 'quay.io/team/both:1', reason: '' }],
        unreachable: [{ reference: 'mirror.gcr.io/library/busybox:1.36', at: '', reason: '' }],
      },
      {
        chart: 'b',
        version: '1',
        rendered: false,
        bindings: [binding('quay.io/team/unproven:1')],
        notLanded: [],
        unreachable: [],
      },
    ],
    proof: [],
    entries: [],
  }

  it('are those that a template names, that a value did not reach, that nothing names, or that nobody proved', () => {
    expect(unboundImages(contents).map(({ name }) => name)).toEqual([
      'docker.io/library/busybox:1.36',
      'quay.io/team/both:1',
      'quay.io/team/compiled-in:1',
      'quay.io/team/unproven:1',
    ])
  })

  it('are mirrored by the names that the charts use', () => {
    expect(registryNames(contents.roots, contents)).toEqual(['docker.io', 'quay.io', 'mirror.gcr.io'])
  })
})

describe('ma-bundle values --format', () => {
  let folder: string
  const run = (...args: readonly string[]) =>
    runCli(['values', 'bundle.tar', '--registry', ECR, ...args], { cwd: folder })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'values-format-'))
    const image = buildImage([layerOf({ app: 'app' })])
    const source = await startSource({ images: { 'team/app:1': image, 'library/busybox:1.36': image } })
    try {
      await writeFile(
        join(folder, 'spec.yaml'),
        `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: x\nversion: 1.0.0\nmirrors: { docker.io: ["${source.host}"], quay.io: ["${source.host}"] }\ngroups: [{ name: all, images: [quay.io/team/app:1, busybox:1.36] }]\n`,
      )
      const args = ['export', 'bundle.tar', '--spec', 'spec.yaml', '--platform', 'linux/amd64', '--quiet']
      expect(await runCli(args, { cwd: folder })).toMatchObject({ code: 0 })
    } finally {
      await source.stop()
    }
  })
  afterAll(() => rm(folder, { recursive: true }))

  it.each(NODE_FORMATS)('prints %s, and writes the same into a directory', async (format) => {
    const printed = await run('--format', format)
    expect(printed.code).toBe(0)
    // ECR gives a node no login for a public host's name.
    expect(printed.stderr).toMatch(format === 'kyverno' ? /^$/ : /credentials of their own/)
    const written = await run('--format', format, '--output', `out/${format}`, '--json')
    const { result } = JSON.parse(written.stdout) as { result: { files: { path: string; text: string }[] } }
    expect(printed.stdout).toBe(result.files.map(({ text }) => text).join('\n'))
    for (const { path, text } of result.files) {
      expect(await readFile(join(folder, 'out', format, path), 'utf8')).toBe(text)
    }
  })

  it.each([
    [['--output', 'out'], /--output goes with a --format for nodes/],
    [['--only-unbound'], /--only-unbound goes with a --format for nodes/],
    [['--format', 'k3s', '--chart', 'x'], /--chart goes with --format helm/],
    [['--format', 'k3s', '--only-unbound'], /does not know which images its charts reach/],
    [['--format', 'k3s', '--output', 'spec.yaml'], /cannot write the configuration/],
  ])('refuses %j', async (args, message) => {
    const { code, stderr, stdout } = await run(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })
})
