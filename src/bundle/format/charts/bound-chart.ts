import type { Binding, ImageUse, Mode, RenderRefusal } from '../../../helm/values/binding.ts'

/** A kind of objects for which a chart's controller runs pods: their images are in no render of the chart. */
export interface OperandKind {
  readonly kind: string
  /** Where such an object names an image: `.spec.image`. */
  readonly fields: readonly string[]
}

/** The image bindings of one chart, found in the chart itself. */
export interface BoundChart {
  readonly chart: string
  readonly version: string
  /** A real helm rendered it; otherwise the bindings are what the names of keys suggest, unproven. */
  readonly rendered: boolean
  /** Those whose override was seen to land; the recipe that landed is their first. */
  readonly bindings: readonly Binding[]
  /** Found, but what was written to them did not land, or could not be written. */
  readonly notLanded: readonly {
    readonly path: string
    readonly reference: string
    readonly reason: string
  }[]
  /** Every image it names, and whether it pulls it as it was rendered; absent in bundles of older programs. */
  readonly uses?: readonly ImageUse[]
  /** Absent for a chart without a controller for kinds of its own. */
  readonly operands?: readonly OperandKind[]
  /** What the override relies on beside what it writes. */
  readonly modes?: readonly Mode[]
  /** When it does not render with the values given alone: what was rendered in their place. */
  readonly refusal?: RenderRefusal
  /** References that no value reaches. */
  readonly unreachable: readonly {
    readonly reference: string
    readonly at: string
    readonly reason: string
  }[]
}

/** `variant` of a binding whose leaf was filled in because the chart refuses to render without a value there. */
export const REQUIRED = 'the chart requires a value here'
