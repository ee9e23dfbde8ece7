import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildImage, layerOf, noise } from '../images.ts'
import { startSource, type EmbeddedSource, type SourceOptions } from '../source.ts'

const MIB = 2 ** 20

/** A registry with layers of some sizes, and a spec that names its images. */
export interface ExportSource {
  readonly source: EmbeddedSource
  readonly spec: string
}

/** @param sizes of layers, MiB: above 64 they are gone on with inside, above 8 they begin a part */
export async function startExportSource(
  folder: string,
  sizes: readonly number[] = [12, 9, 6, 2],
  intercept?: SourceOptions['intercept'],
): Promise<ExportSource> {
  const layers = sizes.map((mib, seed) => layerOf({ own: noise(mib * MIB, seed + 21) }))
  const images = { 'team/one:1': buildImage(layers), 'team/two:2': buildImage(layers.slice(1)) }
  const source = await startSource({ images, ...(intercept === undefined ? {} : { intercept }) })
  const spec = join(folder, 'spec.yaml')
  writeFileSync(spec, `images: [${source.host}/team/one:1, ${source.host}/team/two:2]\n`)
  return { source, spec }
}
