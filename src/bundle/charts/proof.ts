import { createDecoder } from '../format/json-decoder.ts'
import type { Proof } from '../../helm/values/prove.ts'
import { plural } from '../../lib/format.ts'
import { REQUIRED, type BoundChart } from '../format/bound-chart.ts'
import { canonicalText, hintFor } from '../spec/hints.ts'
import type { SpecHint } from '../spec/spec.ts'

const decoder = createDecoder('proof')

/** A reference that would not be pulled from the private registry. */
export interface OpenReference {
  /** Normalised, as rendered without the override. */
  readonly reference: string
  /** `Deployment/name .spec.…`. */
  readonly at: string
  /** `not-bundled`: the bundle lacks it. `unreachable`: no value turns it into the bundled one. */
  readonly verdict: 'not-bundled' | 'unreachable'
  readonly remedy: string
  readonly hook?: string
}

/** What a real helm showed of one chart with the override on top. */
export interface ChartProof {
  readonly chart: string
  readonly version: string
  /** Rendered references that point to the private registry and are in the bundle. */
  readonly boundCount: number
  readonly open: readonly OpenReference[]
  /** References that stay public because the spec says that nothing pulls them. */
  readonly accepted: readonly { readonly reference: string; readonly reason: string }[]
  /** Variants that did not render, in helm's words. */
  readonly failures: readonly string[]
}

/**
 * The part of a proof that a person decides on. Each open reference is named once; those that a hint of the spec
 * accounts for are accepted, those that stem from a value the chart merely insists on say so.
 */
export function chartProof(
  { chart, version, bindings }: BoundChart,
  { references, failures }: Proof,
  hints: readonly SpecHint[],
): ChartProof {
  const open = new Map<string, OpenReference>()
  const accepted = new Map<string, string>()
  for (const { original, kind, name, path, verdict, remedy = '', hook } of references) {
    if (verdict === 'bound' || open.has(original)) continue
    const binding = bindings.find(({ references: made }) => made.some((one) => isSame(one, original)))
    const place = binding?.path.join('.')
    const hint = hintFor(hints, place, original)
    if (hint?.action === 'ignore') {
      accepted.set(original, hint.reason)
      continue
    }
    const needed =
      binding?.variant === REQUIRED
        ? `the chart insists on a value at ${place ?? ''}: give the one it is installed with, --values ${chart}=<file>`
        : undefined
    open.set(original, {
      reference: original,
      at: `${kind}/${name} ${path}`,
      verdict,
      remedy: needed ?? hint?.reason ?? remedy,
      ...(hook === undefined ? {} : { hook }),
    })
  }
  return {
    chart,
    version,
    boundCount: references.filter(({ verdict }) => verdict === 'bound').length,
    open: [...open.values()],
    accepted: [...accepted].map(([reference, reason]) => ({ reference, reason })),
    failures: failures.map(({ variant, message }) => `${variant}: ${message}`),
  }
}

/** Whether every reference of every chart is bound, and everything rendered. */
export const holds = (proofs: readonly ChartProof[]): boolean =>
  proofs.every(({ open, failures }) => open.length === 0 && failures.length === 0)

/** `Proof: 61 references of 14 charts bound, none left public.` */
export function verdictLine(proofs: readonly ChartProof[]): string {
  if (proofs.length === 0) return 'Proof: none; no helm rendered the charts. Run: ma-bundle prove <bundle>'
  const bound = proofs.reduce((sum, { boundCount }) => sum + boundCount, 0)
  const open = proofs.reduce((sum, proof) => sum + proof.open.length, 0)
  const failed = proofs.filter(({ failures }) => failures.length > 0).length
  const left = open === 0 ? 'none left public' : `${open} NOT bound`
  const unrendered = failed === 0 ? '' : `, ${plural(failed, 'chart')} did not render`
  return `Proof: ${plural(bound, 'reference')} of ${plural(proofs.length, 'chart')} bound, ${left}${unrendered}.`
}

/** Reads what `bundle.json` carries. */
export function decodeProofs(value: unknown): readonly ChartProof[] {
  if (value === undefined) return []
  return decoder.list(value).map((item): ChartProof => {
    const { chart, version, boundCount, open, accepted, failures } = decoder.object(item)
    if (typeof boundCount !== 'number') throw decoder.damaged()
    return {
      chart: decoder.string(chart),
      version: decoder.string(version),
      boundCount,
      open: decoder.list(open).map(openReference),
      accepted: decoder.list(accepted).map((one) => {
        const { reference, reason } = decoder.object(one)
        return { reference: decoder.string(reference), reason: decoder.string(reason) }
      }),
      failures: decoder.list(failures).map(decoder.string),
    }
  })
}

// --- internal ---

/** Stems are written as the chart has them, and kept with their host. */
const isSame = (one: string, other: string): boolean =>
  canonicalText(one) === canonicalText(other) || one.endsWith(`/${other}`)

function openReference(value: unknown): OpenReference {
  const { reference, at, verdict, remedy, hook } = decoder.object(value)
  if (verdict !== 'not-bundled' && verdict !== 'unreachable') throw decoder.damaged()
  return {
    reference: decoder.string(reference),
    at: decoder.string(at),
    verdict,
    remedy: decoder.string(remedy),
    ...(hook === undefined ? {} : { hook: decoder.string(hook) }),
  }
}
