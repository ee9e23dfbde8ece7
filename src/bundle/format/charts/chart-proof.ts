import type { Need } from '../../../helm/values/binding.ts'
import type { OperandKind } from './bound-chart.ts'
import { decodeNeed, decodeOperands } from './bound-chart-json.ts'
import { createDecoder } from '../json-decoder.ts'

const decoder = createDecoder('proof')

/** A reference that would not be pulled from the private registry. */
export interface OpenReference {
  /** Normalised, as rendered without the override. */
  readonly reference: string
  /** `Deployment/name .spec.…`. */
  readonly at: string
  /** Dotted path of the values that name it; absent where a template or a program does. */
  readonly path?: string
  /** `not-bundled`: the bundle lacks it. `unreachable`: no value turns it into the bundled one. */
  readonly verdict: 'not-bundled' | 'unreachable'
  readonly remedy: string
  /** Whether what is installed pulls it. */
  readonly need: Need
  /** What it takes, for all but `needed`. */
  readonly when?: string
  readonly hook?: string
}

/** What a real helm showed of one chart with the override on top. */
export interface ChartProof {
  readonly chart: string
  readonly version: string
  /** Rendered references that point to the private registry and are in the bundle. */
  readonly boundCount: number
  readonly open: readonly OpenReference[]
  /** What it was rendered with, beside its own values: `valuesEks.yaml`. */
  readonly values?: readonly string[]
  /** Why it is carried and not installed: `conditionalPackageInstalls.jaeger is off`. */
  readonly off?: string
  /** What its controller runs is in no render. */
  readonly operands?: readonly OperandKind[]
  /** Files of the user's own objects that it was judged with. */
  readonly objects?: readonly string[]
  /** No helm rendered it: judged by what was measured for this version. */
  readonly measured?: true
  /** References that stay public because the spec says that nothing pulls them. */
  readonly accepted: readonly { readonly reference: string; readonly reason: string }[]
  /** Variants that did not render, in helm's words. */
  readonly failures: readonly string[]
}

/** Reads what `bundle.json` carries. */
export function decodeProofs(value: unknown): readonly ChartProof[] {
  if (value === undefined) return []
  return decoder.list(value).map((item): ChartProof => {
    const { chart, version, boundCount, open, values, off, operands, objects, measured, accepted, failures } =
      decoder.object(item)
    if (typeof boundCount !== 'number') throw decoder.damaged()
    return {
      chart: decoder.string(chart),
      version: decoder.string(version),
      boundCount,
      open: decoder.list(open).map(openReference),
      ...(values === undefined ? {} : { values: decoder.list(values).map(decoder.string) }),
      ...(off === undefined ? {} : { off: decoder.string(off) }),
      ...(operands === undefined ? {} : { operands: decodeOperands(operands) }),
      ...(objects === undefined ? {} : { objects: decoder.list(objects).map(decoder.string) }),
      ...(measured === true ? { measured } : {}),
      accepted: decoder.list(accepted).map((one) => {
        const { reference, reason } = decoder.object(one)
        return { reference: decoder.string(reference), reason: decoder.string(reason) }
      }),
      failures: decoder.list(failures).map(decoder.string),
    }
  })
}

// --- internal ---

function openReference(value: unknown): OpenReference {
  const { reference, at, path, verdict, remedy, need, when, hook } = decoder.object(value)
  if (verdict !== 'not-bundled' && verdict !== 'unreachable') throw decoder.damaged()
  return {
    reference: decoder.string(reference),
    at: decoder.string(at),
    ...(path === undefined ? {} : { path: decoder.string(path) }),
    verdict,
    remedy: decoder.string(remedy),
    // Programs before this word judged only what is pulled.
    need: need === undefined ? 'needed' : decodeNeed(need),
    ...(when === undefined ? {} : { when: decoder.string(when) }),
    ...(hook === undefined ? {} : { hook: decoder.string(hook) }),
  }
}
