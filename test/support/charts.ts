import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { layerOf, type BuiltImage } from './images.ts'

/** A chart as `helm package` makes it. */
export interface PackedChart {
  readonly name: string
  readonly version: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly tgz: Uint8Array
}

/** Packs a folder with a Chart.yaml; each file goes below the chart's name. */
export async function packChartFolder(folder: string): Promise<PackedChart> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const files: Record<string, Uint8Array> = {}
  for (const path of paths.toSorted()) {
    files[`${basename(folder)}${path.slice(folder.length)}`] = new Uint8Array(await readFile(path))
  }
  const metadata = parse(await readFile(join(folder, 'Chart.yaml'), 'utf8')) as Record<string, unknown>
  return { name: String(metadata.name), version: String(metadata.version), metadata, tgz: layerOf(files) }
}

/** The chart as `helm push` stores it: https://helm.sh/docs/topics/registries/#helm-chart-manifest */
export function chartArtifact({ metadata, tgz }: PackedChart): BuiltImage {
  const config = new TextEncoder().encode(JSON.stringify(metadata))
  const raw = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      config: {
        mediaType: 'application/vnd.cncf.helm.config.v1+json',
        digest: digestOf(config),
        size: config.length,
      },
      layers: [
        {
          mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
          digest: digestOf(tgz),
          size: tgz.length,
        },
      ],
    }),
  )
  const blobs = new Map([
    [digestOf(config), config],
    [digestOf(tgz), tgz],
  ])
  return { mediaType: OCI_MANIFEST, raw, digest: digestOf(raw), blobs, children: [] }
}

/** The index.yaml of a chart repository whose archives lie beside it. */
export const chartIndex = (charts: readonly PackedChart[]): string =>
  JSON.stringify({
    apiVersion: 'v1',
    entries: Object.fromEntries(
      [...Map.groupBy(charts, ({ name }) => name)].map(([name, versions]) => [
        name,
        versions.map(({ metadata, version, tgz }) => ({
          ...metadata,
          digest: digestOf(tgz).slice('sha256:'.length),
          urls: [`${name}-${version}.tgz`],
        })),
      ]),
    ),
  })
