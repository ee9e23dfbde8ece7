import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chartArtifact, packChartFolder, type PackedChart } from '../support/charts.ts'
import { buildImage, buildIndex, layerOf, type BuiltImage } from '../support/images.ts'
import type { SourceOptions } from '../support/source.ts'

/** A little shop: what the quick start carries over. */
export interface Shop {
  /** By the name the charts use. */
  readonly images: readonly ShopImage[]
  readonly charts: readonly PackedChart[]
  /** What the embedded source serves: the images, one chart from OCI, the others from HTTP. */
  readonly source: SourceOptions
}

export interface ShopImage {
  /** `shop/web:1.4.0`, on registry.example */
  readonly name: string
  readonly what: string
  readonly image: BuiltImage
  /** All of its blobs and manifests, bytes. */
  readonly size: number
}

/** The registry that the charts name. It exists nowhere: a mirror serves what is asked of it. */
export const ORIGIN = 'registry.example'

const root = join(import.meta.dirname, '..', '..')

/**
 * Builds the shop from files of this machine: one base layer that all images share, a big layer for each of the two
 * platforms, and a small one of their own.
 */
export async function buildShop(): Promise<Shop> {
  const modules = join(root, 'node_modules')
  const base = layerOf(
    await filesOf(['/etc/os-release', '/etc/ssl/certs/ca-certificates.crt', join(root, 'LICENSE')]),
  )
  const bun = layerOf({ 'usr/bin/bun': new Uint8Array(await readFile(process.execPath)) })
  const sdk = layerOf(await folderOf(join(modules, '@aws-sdk')))
  const smithy = layerOf(await folderOf(join(modules, '@smithy')))
  const app = (name: string, platform: string): Uint8Array =>
    layerOf({ [`app/${name}.txt`]: `${name} for ${platform}\n` })

  const both = (name: string, layers: readonly Uint8Array[], docker = false): BuiltImage =>
    buildIndex(
      ['linux/amd64', 'linux/arm64'].map((platform) =>
        buildImage([base, ...layers, app(name, platform)], { platform, docker }),
      ),
      { docker },
    )
  const named = (name: string, what: string, image: BuiltImage): ShopImage => ({
    name,
    what,
    image,
    size: sizesOf(image)
      .values()
      .reduce((sum, size) => sum + size, 0),
  })
  const images = [
    named('shop/web:1.4.0', 'OCI index', both('web', [bun])),
    named('shop/api:2.0.1', 'OCI index', both('api', [bun, sdk])),
    named('shop/worker:2.0.1', 'Docker list', both('worker', [sdk], true)),
    named('shop/migrate:0.9.0', 'OCI index', both('migrate', [smithy])),
  ]
  const folder = join(import.meta.dirname, 'charts')
  const [web, api, worker] = await Promise.all([
    packChartFolder(join(folder, 'shop-web')),
    packChartFolder(join(folder, 'shop-api')),
    packChartFolder(join(folder, 'shop-worker')),
  ])
  return {
    images,
    charts: [web, api, worker],
    source: {
      images: {
        ...Object.fromEntries(images.map(({ name, image }) => [name, image])),
        [`oci-charts/${worker.name}:${worker.version}`]: chartArtifact(worker),
      },
      charts: [web, api],
    },
  }
}

/** The list of what to bundle, as a person writes it. */
export const shopSpec = (host: string): string => `# yaml-language-server: $schema=../manifests/schema.json
apiVersion: ma-bundle/v1
kind: BundleSpec
name: shop
version: 1.0.0
# ${ORIGIN} is asked through a mirror: here the embedded registry.
mirrors:
  ${ORIGIN}: ["${host}"]
groups:
  - name: web
    charts:
      - { name: shop-web, version: 1.4.0, repository: "http://${host}/charts" }
    images:
      - ${ORIGIN}/shop/web:1.4.0
  - name: api
    charts:
      - { name: shop-api, version: 2.0.1, repository: "http://${host}/charts" }
      - { name: shop-worker, version: 2.0.1, repository: "oci://${host}/oci-charts" }
    images:
      - ${ORIGIN}/shop/api:2.0.1
      - ${ORIGIN}/shop/migrate:0.9.0
      - ${ORIGIN}/shop/worker:2.0.1
`

/** Where the charts' values name images: for machines without a helm, which finds that by itself. */
export const SHOP_BINDINGS = `bindings:
  shop-web:
    - { path: image, leaves: [registry, repository, tag], reference: "${ORIGIN}/shop/web:1.4.0" }
  shop-api:
    - { path: image, leaves: [repository, tag], reference: "${ORIGIN}/shop/api:2.0.1" }
    - { path: migrate.image, reference: "${ORIGIN}/shop/migrate:0.9.0" }
  shop-worker:
    - { path: image, leaves: [registry, name, tag], reference: "${ORIGIN}/shop/worker:2.0.1" }
`

// --- internal ---

/** Each blob and manifest once, by digest. */
const sizesOf = ({ digest, raw, blobs, children }: BuiltImage): Map<string, number> =>
  new Map([
    [digest, raw.length],
    ...[...blobs].map(([blob, bytes]) => [blob, bytes.length] as const),
    ...children.flatMap((child) => [...sizesOf(child)]),
  ])

async function filesOf(paths: readonly string[]): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {}
  for (const path of paths.filter(existsSync)) {
    files[path.replace(root, '/usr/share/shop').slice(1)] = new Uint8Array(await readFile(path))
  }
  return files
}

async function folderOf(folder: string): Promise<Record<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const files: Record<string, Uint8Array> = {}
  for (const path of paths.toSorted()) {
    files[`app/node_modules${path.slice(join(root, 'node_modules').length)}`] = new Uint8Array(
      await readFile(path),
    )
  }
  return files
}
