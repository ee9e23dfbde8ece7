import { chartYaml, packChart, type ChartFiles } from './pack.ts'

/** A small chart that shows one way in which values make images, and what must be found and written in it. */
export interface ShapeChart {
  readonly name: string
  /** What is peculiar about it. */
  readonly about: string
  readonly files: ChartFiles
  /** Path, and the references made from it under the chart's own values. */
  readonly bindings: readonly (readonly [path: string, ...references: string[]])[]
  /** The whole override, when every image goes to `PRIVATE/<normalised reference>`. */
  readonly override: unknown
  /** References that no value reaches. */
  readonly unreachable?: readonly string[]
}

export const PRIVATE = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirrored'

export const pack = ({ name, files }: ShapeChart): Uint8Array => packChart(name, files)

export const shape = (
  name: string,
  about: string,
  values: string,
  template: string,
  bindings: ShapeChart['bindings'],
  override: unknown,
  more: { files?: ChartFiles; unreachable?: readonly string[]; chart?: string } = {},
): ShapeChart => ({
  name,
  about,
  files: {
    'Chart.yaml': chartYaml(name, more.chart),
    'values.yaml': values,
    'templates/all.yaml': template,
    ...more.files,
  },
  bindings,
  override,
  ...(more.unreachable === undefined ? {} : { unreachable: more.unreachable }),
})

/** Where the private registry has an image. */
export const p = (text: string): string => `${PRIVATE}/${text}`
