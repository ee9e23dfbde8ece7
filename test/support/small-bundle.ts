import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from './images.ts'
import { runShell } from './shell.ts'
import { startSource, type EmbeddedSource } from './source.ts'

/** A bundle of two images, a chart and a file, some 20 KB, with the place it came from still running. */
export interface SmallBundle {
  readonly folder: string
  readonly file: string
  readonly spec: string
  readonly bytes: Uint8Array
  readonly source: EmbeddedSource
  /** By `repository:tag`. */
  readonly images: Readonly<Record<string, BuiltImage>>
  /** The chart, packaged. */
  readonly chart: Uint8Array
  remove(): Promise<void>
}

export async function makeSmallBundle(): Promise<SmallBundle> {
  const folder = mkdtempSync(join(tmpdir(), 'ma-bundle-small-'))
  const shared = layerOf({ base: noise(2000, 1) })
  const image = (seed: number, platform: string, annotations?: Record<string, string>): BuiltImage =>
    buildImage([shared, layerOf({ own: noise(600, seed) })], {
      platform,
      ...(annotations === undefined ? {} : { annotations }),
    })
  const images = {
    'team/one:1': buildIndex([image(2, 'linux/amd64'), image(3, 'linux/arm64')]),
    'team/two:2': image(4, 'linux/amd64', { 'org.opencontainers.image.licenses': 'MIT' }),
  }
  const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
  const tgz = layerOf({ 'web/Chart.yaml': JSON.stringify(metadata), 'web/values.yaml': 'a: 1\n' })
  const source = await startSource({ images, charts: [{ name: 'web', version: '1.2.3', metadata, tgz }] })
  const spec = join(folder, 'spec.yaml')
  const file = join(folder, 'bundle.tar')
  writeFileSync(
    spec,
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: small
version: 1.0.0
groups:
  - name: all
    images: [${source.host}/team/one:1, ${source.host}/team/two:2]
    charts: [{ name: web, version: 1.2.3, repository: 'http://${source.host}/charts' }]
    files: [{ name: index.yaml, url: 'http://${source.host}/charts/index.yaml' }]
`,
  )
  const { code, stderr } = await runShell(['export', file, '--spec', spec])
  if (code !== 0) throw new Error(`the export of a small bundle ended with ${code}: ${stderr}`)
  return {
    folder,
    file,
    spec,
    bytes: new Uint8Array(readFileSync(file)),
    source,
    images,
    chart: tgz,
    async remove() {
      await source.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
