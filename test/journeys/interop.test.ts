import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { DOCKER_LIST } from '../../src/oci/media-types.ts'
import { packChartFolder, type PackedChart } from '../support/charts.ts'
import { runCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { helmBinary, type HelmMajor } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

const charts = join(import.meta.dirname, '..', 'quickstart', 'charts')
const base = layerOf({ 'etc/base': noise(200_000, 1) })
const both = (seed: number, docker = false): BuiltImage =>
  buildIndex(
    ['linux/amd64', 'linux/arm64'].map((platform, at) =>
      buildImage([base, layerOf({ app: noise(50_000, seed + at) })], { platform, docker }),
    ),
    { docker },
  )
const images: Readonly<Record<string, BuiltImage>> = {
  'shop/web:1.4.0': both(10),
  'shop/api:2.0.1': both(20),
  'shop/migrate:0.9.0': buildImage([base, layerOf({ app: noise(50_000, 30) })]),
  'shop/worker:2.0.1': both(40, true),
}

let folder: string
let registry: DockerRegistry
let repository: EmbeddedSource
let ecr: Ecr
let packed: readonly PackedChart[]

/** A reference of an image at its source, which is also its name in the bundle. */
const at = (name: string): string => `${registry.host}/${name}`
const landed = (name: string): string => `mirrored/${registry.host.replace(':', '-')}/${name}`
const ecrPassword = (): string => Buffer.from(ecr.token(), 'base64').toString().slice('AWS:'.length)
const skopeo = (...args: readonly string[]) =>
  runProgram('skopeo', ['--insecure-policy', ...args], { cwd: folder })
const importArgs = () => ['import', 'bundle.tar', '--registry', ecr.registry, '--endpoint-url', ecr.endpoint]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interop-'))
  registry = await startDockerRegistry()
  ecr = await startEcr({ tls: false, quotas: 'none', blobMounting: true })
  const [web, api, worker] = await Promise.all(
    ['shop-web', 'shop-api', 'shop-worker'].map((name) => packChartFolder(join(charts, name))),
  )
  if (web === undefined || api === undefined || worker === undefined) throw new Error('a chart is missing')
  packed = [web, api, worker]
  repository = await startSource({ images: {}, charts: [web, api] })
  for (const [name, image] of Object.entries(images)) {
    const [path = '', tag] = name.split(':')
    await pushImage(`http://${registry.host}`, path, tag, image)
  }
  // The chart from OCI is pushed by Helm itself, so that its manifest is Helm's.
  await writeFile(join(folder, 'shop-worker.tgz'), worker.tgz)
  await helm(3, 'push', '--plain-http', 'shop-worker.tgz', `oci://${registry.host}/charts`)
  await writeFile(join(folder, 'spec.yaml'), spec())
  const exported = await runCli(['export', 'bundle.tar', '--spec', 'spec.yaml', '--quiet'], { cwd: folder })
  expect(exported).toMatchObject({ code: 0, stderr: '' })
  const imported = await runCli([...importArgs(), '--quiet'], { cwd: folder, env: ecr.environment })
  expect(imported).toMatchObject({ code: 0, stderr: '' })
})
afterAll(async () => {
  await Promise.all([registry.stop(), repository.stop(), ecr.stop()])
  await rm(folder, { recursive: true })
})

function spec(): string {
  const http = `http://${repository.host}/charts`
  return `apiVersion: ma-bundle/v1
kind: BundleSpec
name: interop
version: 1.0.0
mirrors: { registry.example: ["${registry.host}"] }
groups:
  - name: all
    charts:
      - { name: shop-web, version: 1.4.0, repository: "${http}" }
      - { name: shop-api, version: 2.0.1, repository: "${http}" }
      - { name: shop-worker, version: 2.0.1, repository: "oci://${registry.host}/charts" }
    images:
${Object.keys(images)
  .flatMap((name) => [`      - ${at(name)}\n`, `      - registry.example/${name}\n`])
  .join('')}
bindings:
  shop-web:
    - { path: image, leaves: [registry, repository, tag], reference: "registry.example/shop/web:1.4.0" }
  shop-api:
    - { path: image, leaves: [repository, tag], reference: "registry.example/shop/api:2.0.1" }
    - { path: migrate.image, reference: "registry.example/shop/migrate:0.9.0" }
  shop-worker:
    - { path: image, leaves: [registry, name, tag], reference: "registry.example/shop/worker:2.0.1" }
`
}

/** A real helm, logged in at the private registry. */
async function helm(major: HelmMajor, ...args: readonly string[]): Promise<string> {
  const config = join(folder, 'helm-registry.json')
  const auth = Buffer.from(`AWS:${ecrPassword()}`).toString('base64')
  await writeFile(config, JSON.stringify({ auths: { [ecr.registry]: { auth } } }))
  const env = { HOME: folder, PATH: process.env.PATH ?? '', HELM_REGISTRY_CONFIG: config }
  const { stdout } = await runProgram(await helmBinary(major), args, { cwd: folder, env })
  return stdout.toString()
}

describe('skopeo', () => {
  it.each(Object.keys(images))('reads %s from the bundle, byte for byte', async (name) => {
    const raw = await skopeo('inspect', '--raw', `oci-archive:bundle.tar:${at(name)}`)
    expect(digestOf(raw.stdout)).toBe(images[name]?.digest)
  })

  it.each(Object.entries(images))('copies %s out of the bundle with all its layers', async (name, image) => {
    const target = `copy-${name.replaceAll(/[/:]/g, '-')}`
    await skopeo('copy', '--all', `oci-archive:bundle.tar:${at(name)}`, `dir:${target}`)
    const copied = async (file: string): Promise<Buffer> => readFile(join(folder, target, file))
    const raw = await copied('manifest.json')
    // skopeo itself turns a Docker list from an OCI layout into an OCI index; what is in it keeps its digest.
    if (image.mediaType !== DOCKER_LIST) expect(digestOf(raw)).toBe(image.digest)
    const index = JSON.parse(raw.toString()) as {
      readonly manifests?: readonly { readonly digest: string }[]
    }
    expect(index.manifests?.map(({ digest }) => digest) ?? []).toEqual(
      image.children.map(({ digest }) => digest),
    )
    for (const digest of [image, ...image.children].flatMap(({ blobs }) => [...blobs.keys()])) {
      expect(digestOf(await copied(digest.slice('sha256:'.length)))).toBe(digest)
    }
  })

  it.each(Object.keys(images))('finds %s the same at the source and where it landed', async (name) => {
    const source = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${at(name)}`)
    const target = await skopeo(
      'inspect',
      '--raw',
      '--tls-verify=false',
      '--creds',
      `AWS:${ecrPassword()}`,
      `docker://${ecr.registry}/${landed(name)}`,
    )
    expect(target.stdout.equals(source.stdout)).toBe(true)
    expect(digestOf(target.stdout)).toBe(images[name]?.digest)
  })

  it('pulls an imported image with all its layers', async () => {
    await skopeo(
      'copy',
      '--all',
      '--src-tls-verify=false',
      '--src-creds',
      `AWS:${ecrPassword()}`,
      `docker://${ecr.registry}/${landed('shop/api:2.0.1')}`,
      'dir:pulled',
    )
    expect(digestOf(await readFile(join(folder, 'pulled', 'manifest.json')))).toBe(
      images['shop/api:2.0.1']?.digest,
    )
  })
})

describe('tar', () => {
  it('lists the same entries with GNU tar and bsdtar, an OCI layout among them', async () => {
    const [gnu, bsd] = await Promise.all(
      ['tar', 'bsdtar'].map(async (program) =>
        (await runProgram(program, ['-tf', 'bundle.tar'], { cwd: folder })).stdout.toString().split('\n'),
      ),
    )
    expect(bsd).toEqual(gnu)
    expect(gnu?.slice(0, 4)).toEqual(['bundle.json', 'oci-layout', 'index.json', 'SHA256SUMS'])
    for (const { name, version } of packed) expect(gnu).toContain(`charts/${name}-${version}.tgz`)
  })

  it('extracts what sha256sum finds whole, every file of it', async () => {
    const out = join(folder, 'extracted')
    await mkdir(out)
    await runProgram('tar', ['-xf', join('..', 'bundle.tar')], { cwd: out })
    const { stdout } = await runProgram('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: out })
    const checked = stdout.toString().trim().split('\n')
    expect(checked.filter((line) => !line.endsWith(': OK'))).toEqual([])
    const files = await runProgram('find', ['.', '-type', 'f', '-printf', '%P\n'], { cwd: out })
    const unchecked = new Set(files.stdout.toString().trim().split('\n'))
    for (const line of checked) unchecked.delete(line.slice(0, -': OK'.length))
    expect([...unchecked]).toEqual(['SHA256SUMS'])
    for (const { name, version, tgz } of packed) {
      expect(digestOf(await readFile(join(out, 'charts', `${name}-${version}.tgz`)))).toBe(digestOf(tgz))
    }
  })
})

describe.each([3, 4] as const)('helm %i', (major) => {
  it.each(['shop-web 1.4.0', 'shop-api 2.0.1', 'shop-worker 2.0.1'])('pulls %s', async (text) => {
    const [name = '', version = ''] = text.split(' ')
    const target = `pulled-${major}`
    await mkdir(join(folder, target), { recursive: true })
    await helm(
      major,
      'pull',
      `oci://${ecr.registry}/charts/${name}`,
      '--version',
      version,
      '--plain-http',
      '--destination',
      target,
    )
    const tgz = await readFile(join(folder, target, `${name}-${version}.tgz`))
    expect(digestOf(tgz)).toBe(digestOf(packed.find((chart) => chart.name === name)?.tgz ?? ''))
  })

  it('renders imported charts so that all their images come from the private registry', async () => {
    const found: string[] = []
    for (const { name, version } of packed) {
      const values = join('ma-bundle-values.d', `${name}.yaml`)
      const text = await helm(
        major,
        'template',
        'shop',
        `oci://${ecr.registry}/charts/${name}`,
        '--version',
        version,
        '--plain-http',
        '--values',
        values,
      )
      found.push(...text.matchAll(/image: "([^"]+)"/g).map(([, image = '']) => image))
    }
    const mirrored = `${ecr.registry}/mirrored/registry.example`
    expect(found.toSorted()).toEqual([
      `${mirrored}/shop/api:2.0.1`,
      `${mirrored}/shop/migrate:0.9.0`,
      `${mirrored}/shop/web:1.4.0`,
      `${mirrored}/shop/worker:2.0.1`,
    ])
    const tags = ecr.tags()
    for (const image of found) {
      const place = image.slice(ecr.registry.length + 1)
      expect(tags[place]).toBe(images[place.slice('mirrored/registry.example/'.length)]?.digest)
    }
  })
})

describe('a second import', () => {
  it('asks once for each image and chart, and sends nothing', async () => {
    ecr.log.clear()
    const { code } = await runCli([...importArgs(), '--quiet'], { cwd: folder, env: ecr.environment })
    expect(code).toBe(0)
    const asked = ecr.log.requests(undefined, undefined, 'dkr').map(({ method }) => method)
    expect(asked).toEqual(
      Array.from({ length: 2 * Object.keys(images).length + packed.length }, () => 'HEAD'),
    )
  })
})

describe('a plain registry', () => {
  it('takes the same bundle, without ECR’s API', async () => {
    const target = await startDockerRegistry()
    try {
      const args = ['import', 'bundle.tar', '--registry', target.host, '--values', 'plain.yaml', '--quiet']
      const { code, stderr } = await runCli(args, { cwd: folder })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      for (const [name, image] of Object.entries(images)) {
        const place = `docker://${target.host}/${landed(name)}`
        const { stdout } = await skopeo('inspect', '--raw', '--tls-verify=false', place)
        expect(digestOf(stdout)).toBe(image.digest)
      }
      expect(existsSync(join(folder, 'plain.yaml'))).toBe(true)
    } finally {
      await target.stop()
    }
  })
})
