import { BundleError } from '../../lib/errors.ts'
import { place } from '../../archive/tar.ts'
import type { MissingImage } from '../charts/judge/judge.ts'
import type { BoundChart } from '../format/charts/bound-chart.ts'
import { checkRootNames } from '../format/check-names.ts'
import { decodeContents, FORMAT, type Absent, type RootContents } from '../format/contents.ts'
import type { HubBudget } from '../resolve/docker-hub-quota.ts'
import type { LintFinding } from '../resolve/ecr-lint.ts'
import { decodeLock, encodeLock, type Lock } from '../spec/lock-file.ts'
import { HEAD, LOCK, plan, type Plan } from '../format/plan.ts'
import { programContents, type ImporterProgram, type ProgramContents } from '../format/importer.ts'
import type { ChartProof } from '../format/charts/chart-proof.ts'
import { weigh, type RootWeight } from './weights.ts'
import type { Root } from '../format/root.ts'

/** What an export will be, known before the first layer is fetched. */
export interface Prepared {
  readonly roots: readonly Root[]
  readonly plan: Plan
  /** What every reference was resolved to. */
  readonly lock: Lock
  /** Image bindings of the charts that a real helm rendered. */
  readonly bound: readonly BoundChart[]
  /** What was proven of them; empty without helm. */
  readonly proof: readonly ChartProof[]
  /** Images that the installation pulls and the bundle would lack; only a plan gets this far with any. */
  readonly missing: readonly MissingImage[]
  readonly weights: readonly RootWeight[]
  /** What the bundle leaves out. */
  readonly absent: readonly Absent[]
  /** The program itself, when it is carried along. */
  readonly programs: readonly ProgramContents[]
  /** Bytes of the bundle, and of what has to be fetched for it. */
  readonly size: number
  readonly toFetch: number
  /** What ECR would refuse. */
  readonly findings: readonly LintFinding[]
  /** What it takes from Docker Hub's quota, when anything does. */
  readonly hub?: HubBudget
}

/** Everything that decides the bytes of a bundle, and what was noticed on the way. */
export interface Found extends Omit<Prepared, 'plan' | 'programs' | 'weights' | 'size' | 'toFetch'> {
  readonly spec: { readonly name: string; readonly version?: string; readonly text: string }
  /** The roots as the bundle lists them. */
  readonly contents: readonly RootContents[]
  readonly programs: readonly ImporterProgram[]
}

/**
 * Lays a bundle out. Pure: the same facts give the same bytes.
 * @param rearrange gives the transfers other sources
 */
export function layOut(
  { spec, contents, programs, ...found }: Found,
  rearrange: (plan: Plan) => Plan = (laidOut) => laidOut,
): Prepared {
  const { roots, bound, proof, absent, lock } = found
  const layout = rearrange(
    plan(roots, {
      format: FORMAT,
      name: spec.name,
      ...(spec.version === undefined ? {} : { version: spec.version }),
      spec: spec.text,
      roots: contents,
      bound,
      proof,
      ...(absent.length === 0 ? {} : { absent }),
      programs,
      lock: encodeLock(lock),
    }),
  )
  checkReadable(layout)
  const carried = new Set(programs.map(({ path }) => path))
  const made = new Set(roots.flatMap((root) => (root.kind === 'image' ? (root.made ?? []) : [])))
  return {
    ...found,
    programs: programs.map(programContents),
    plan: layout,
    weights: weigh(roots),
    size: place(layout.entries).size,
    toFetch: layout.transfers
      .filter(({ path, descriptor }) => !carried.has(path) && !made.has(descriptor.digest))
      .reduce((sum, { descriptor }) => sum + descriptor.size, 0),
  }
}

// --- internal ---

/** What nobody could open again must not come to light after everything was fetched, and never gets a name. */
function checkReadable({ head, ready }: Plan): void {
  try {
    checkRootNames(decodeContents(head).roots, HEAD)
    decodeLock(new TextDecoder().decode(ready.get(LOCK)), LOCK)
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
    throw new BundleError(`no reader could open this bundle, so it is not written: ${error.message}`, {
      kind: 'failed',
      next: 'report it together with the spec, as it is a fault of ma-bundle',
      cause: error,
    })
  }
}
