import type { Proof } from '../../helm/values/prove.ts'
import { plural } from '../../lib/format.ts'
import type { ChartProof, OpenReference } from '../format/chart-proof.ts'
import { REQUIRED, type BoundChart } from '../format/bound-chart.ts'
import { canonicalText, hintFor } from '../spec/hints.ts'
import type { SpecHint } from '../spec/spec.ts'

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

// --- internal ---

/** Stems are written as the chart has them, and kept with their host. */
const isSame = (one: string, other: string): boolean =>
  canonicalText(one) === canonicalText(other) || one.endsWith(`/${other}`)
