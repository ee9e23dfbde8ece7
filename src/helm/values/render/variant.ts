import type { Rendered, RenderOptions } from './helm.ts'
import type { Values } from '../tree.ts'

/** A way to render a chart: one render cannot show what excludes each other. */
export interface Variant {
  readonly name: string
  /** A layer between the user's and the override. */
  readonly values: Values
  readonly kubeVersion?: string
  readonly apiVersions?: readonly string[]
  /** Rendered without the chart's own checks, which forbid what the variant switches on. */
  readonly relaxed?: boolean
}

export type Render = (options: RenderOptions) => Promise<Rendered>

export const optionsOf = ({ values, kubeVersion, apiVersions, relaxed }: Variant): RenderOptions => ({
  values: Object.keys(values).length === 0 ? [] : [values],
  ...(kubeVersion === undefined ? {} : { kubeVersion }),
  ...(apiVersions === undefined ? {} : { apiVersions }),
  ...(relaxed === true ? { relaxed } : {}),
})
