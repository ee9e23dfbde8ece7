import { BundleError } from '../../lib/errors.ts'
import { formatReference } from '../../oci/reference.ts'
import { staticChart, type RenderedChart } from '../charts/render.ts'
import type { BoundChart } from '../format/bound-chart.ts'
import { collectRoots, type CollectOptions } from '../resolve/collect.ts'
import { coverageOf } from '../charts/coverage.ts'
import { FailuresError } from '../run/failures.ts'
import type { ChartProof } from '../format/chart-proof.ts'
import { closeAll, renderCharts, type HelmSetup } from '../charts/render-all.ts'
import { contentsOf, type RootContents } from '../format/contents.ts'
import type { Root } from '../format/root.ts'
import type { Session } from '../run/network.ts'
import type { BundleSpec } from '../spec/spec.ts'

export interface BindOptions {
  readonly session: Session
  readonly spec: BundleSpec
  /** A real helm, to find where the charts' values name images, and layers of values by chart name. */
  readonly helm?: HelmSetup
  /** Take images along that the charts pull and the list lacks; otherwise they are an error. */
  readonly addMissing?: boolean
}

/** What the charts of an export were found to name. */
export interface BoundExport {
  readonly bound: readonly BoundChart[]
  /** Empty without helm. */
  readonly proof: readonly ChartProof[]
  /** Images that the charts pull and the list lacks. */
  readonly missing?: readonly Root[]
}

/** Finds where the charts name images, adds what the list lacks, and proves the override when there is a helm. */
export async function bindAndProve(
  listed: readonly Root[],
  options: BindOptions,
  collecting: CollectOptions,
): Promise<BoundExport> {
  return withCharts(listed, options, async (rendered) => {
    const bound = boundCharts(listed, rendered)
    const missing = await missingRoots(
      bound.filter((chart) => chart.rendered),
      listed,
      options,
      collecting,
    )
    return { bound, missing, proof: await proveAll(rendered, [...listed, ...missing].map(contentsOf)) }
  })
}

// --- internal ---

/** Renders the charts of the bundle when there is a helm, and lets go of them afterwards. */
async function withCharts<Result>(
  roots: readonly Root[],
  { helm, session }: BindOptions,
  work: (rendered: readonly RenderedChart[]) => Promise<Result>,
): Promise<Result> {
  if (helm === undefined) return work([])
  const rendered = await renderCharts(
    roots.filter((root) => root.kind === 'chart'),
    helm,
    session,
  )
  try {
    return await work(rendered)
  } finally {
    await closeAll(rendered)
  }
}

/** By rendering where that was possible, by the names of keys elsewhere. */
const boundCharts = (roots: readonly Root[], rendered: readonly RenderedChart[]): readonly BoundChart[] =>
  roots
    .filter((root) => root.kind === 'chart')
    .map(
      ({ chart, version, tgz }) =>
        rendered.find(({ bound }) => bound.chart === chart && bound.version === version)?.bound ??
        staticChart(tgz, []),
    )

async function proveAll(
  rendered: readonly RenderedChart[],
  roots: readonly RootContents[],
): Promise<readonly ChartProof[]> {
  const proofs: ChartProof[] = []
  for (const chart of rendered) proofs.push(await chart.prove(roots))
  return proofs
}

/** The images that the charts pull and the list lacks: fetched when asked for, else an error. */
async function missingRoots(
  bound: readonly BoundChart[],
  listed: readonly Root[],
  { spec, session, addMissing = false }: BindOptions,
  collecting: CollectOptions,
): Promise<readonly Root[]> {
  const { missing, unreferenced } = coverageOf(bound, listed, spec)
  if (bound.length > 0 && unreferenced.length > 0) {
    session.emit({
      type: 'warning',
      message: `no chart refers to ${unreferenced.join(', ')}`,
      where: spec.name,
    })
  }
  if (missing.length === 0) return []
  if (!addMissing) {
    throw new FailuresError(
      `${missing.length} images that the charts will pull are not in the list; without them pods would not start`,
      missing.map(({ chart, place, reference, hint }) => ({
        kind: 'image',
        name: formatReference(reference),
        error: new BundleError(
          `${chart} pulls it (${place})${hint?.when === undefined ? '' : ` when ${hint.when}`}`,
          {
            kind: 'failed',
            ...(hint === undefined ? {} : { next: hint.reason }),
          },
        ),
      })),
      'add them with --add-missing, or to the list; --no-prove leaves the charts unrendered',
    )
  }
  const images = missing.map(({ reference }) => ({ reference, allowMissingPlatforms: false }))
  return collectRoots([{ name: 'missing', optional: false, charts: [], images, files: [] }], collecting)
}
