import { NEEDS } from '../../helm/values/uses.ts'
import type { Proof } from '../../helm/values/prove.ts'
import type { BoundChart } from '../format/charts/bound-chart.ts'
import type { ChartProof, OpenReference } from '../format/charts/chart-proof.ts'
import { canonicalText } from '../spec/hints.ts'
import type { SpecHint } from '../spec/spec.ts'
import type { ChartInstall } from './judge/install.ts'
import type { AppliedObjects } from './judge/objects.ts'
import { judgedUses, switchedOn, type JudgedUse } from './judge/judge.ts'

/** What is known of a chart beside its own text. */
export interface ChartSituation {
  readonly hints: readonly SpecHint[]
  readonly install: ChartInstall
  /** The user's own that it is judged with. */
  readonly objects?: readonly AppliedObjects[]
  /** The bundle holds the image of this reference, as a chart names it. */
  readonly isBundled: (reference: string) => boolean
}

/**
 * The part of a proof that a person decides on: each reference that is not pulled from the private registry, once,
 * with what it takes to be pulled at all.
 */
export function chartProof(bound: BoundChart, proof: Proof, situation: ChartSituation): ChartProof {
  const { hints, install, objects = [], isBundled } = situation
  const uses = judgedUses(bound, hints, install.off)
  const open = new Map<string, OpenReference>()
  const accepted = new Map<string, string>()
  const add = (
    reference: string,
    use: JudgedUse | undefined,
    one: Omit<OpenReference, 'need' | 'when' | 'path'>,
  ): void => {
    if (open.has(reference)) return
    if (use?.hint?.action === 'ignore' && use.hint.when === undefined) {
      accepted.set(reference, use.hint.reason)
      return
    }
    const { need, when, path } = use ?? unseen(reference, install.off)
    open.set(reference, {
      ...one,
      ...(path === undefined ? {} : { path }),
      need,
      ...(when === undefined ? {} : { when }),
    })
  }
  for (const { original, kind, name, path, verdict, remedy = '', hook } of proof.references) {
    if (verdict === 'bound') continue
    const use = useOf(uses, original)
    add(original, use, {
      reference: original,
      at: `${kind}/${name} ${path}`,
      verdict,
      remedy: remedyOf(use, bound.chart) ?? remedy,
      ...(hook === undefined ? {} : { hook }),
    })
  }
  for (const use of uses) {
    const { reference, at, hook } = use
    const there = isBundled(reference)
    // The user rewrites such a file before it is applied: `objects` of the proof.
    if (there && use.applied === true) continue
    const reached = bound.bindings.some(({ references }) => references.some((one) => isSame(one, reference)))
    const isRendered = proof.references.some(({ original }) => isSame(original, reference))
    if (there && (reached || isRendered)) continue
    add(reference, use, {
      reference,
      at,
      verdict: there ? 'unreachable' : 'not-bundled',
      remedy: remedyOf(use, bound.chart) ?? (there ? ADMISSION : missingText(reference)),
      ...(hook === undefined ? {} : { hook }),
    })
  }
  return {
    chart: bound.chart,
    version: bound.version,
    boundCount: proof.references.filter(({ verdict }) => verdict === 'bound').length,
    open: [...open.values()].toSorted((a, b) => NEEDS.indexOf(a.need) - NEEDS.indexOf(b.need)),
    ...(install.layers.length === 0 ? {} : { values: install.layers.map(({ name }) => name) }),
    ...(install.off === undefined ? {} : { off: install.off }),
    ...(bound.operands === undefined ? {} : { operands: bound.operands }),
    ...(objects.length === 0 ? {} : { objects: objects.map(({ file }) => file) }),
    accepted: [...accepted].map(([reference, reason]) => ({ reference, reason })),
    failures: proof.failures.map(({ variant, message }) => `${variant}: ${message}`),
  }
}

/** What of a chart the installation pulls from outside. */
export const neededOpen = ({ open }: ChartProof): readonly OpenReference[] =>
  open.filter(({ need }) => need === 'needed')

/** Whether nothing that is needed is pulled from outside, and everything that is installed rendered. */
export const holds = (proofs: readonly ChartProof[]): boolean =>
  proofs.every(
    (proof) => neededOpen(proof).length === 0 && (proof.failures.length === 0 || proof.off !== undefined),
  )

// --- internal ---

const ADMISSION =
  'no value reaches it: rewrite it with ma-bundle post-render, or at admission with the policy of ma-bundle values'

/** What only a render with the override shows. */
function unseen(reference: string, off: string | undefined): Partial<JudgedUse> & Pick<JudgedUse, 'need'> {
  if (/[-_/]$/.test(reference)) return { need: 'unknown', when: 'a program adds the rest of the name' }
  return off === undefined ? { need: 'needed' } : { need: 'on-demand', when: switchedOn(off) }
}

const missingText = (reference: string): string =>
  `take it along with --add-missing=all, or add ${reference} to the spec`

function remedyOf(use: JudgedUse | undefined, chart: string): string | undefined {
  if (use?.need === 'unknown' && use.when?.startsWith('the chart insists') === true)
    return `${use.when}: give the one it is installed with, --values ${chart}=<file>`
  if (use?.hint !== undefined) return use.hint.reason
  // A registry alone, or a name without its version: there is nothing to fetch by it.
  return use?.need === 'unknown' && /[-_/…]$/.test(use.reference)
    ? `add what is pulled by it to the spec, or accept it with a hint: reference: ${use.reference}, action: ignore`
    : undefined
}

/** The strictest of what is known of a reference. */
const useOf = (uses: readonly JudgedUse[], reference: string): JudgedUse | undefined =>
  uses
    .filter((use) => isSame(use.reference, reference))
    .toSorted((a, b) => NEEDS.indexOf(a.need) - NEEDS.indexOf(b.need))[0]

/** Stems are written as the chart has them, and kept with their host. */
const isSame = (one: string, other: string): boolean =>
  canonicalText(one) === canonicalText(other) || one.endsWith(`/${other}`) || other.endsWith(`/${one}`)
