import { BundleError } from '../../lib/errors.ts'
import { formatReference } from '../../oci/reference.ts'
import { staticChart } from '../charts/judge/unrendered.ts'
import type { RenderedChart } from '../charts/render.ts'
import type { BoundChart } from '../format/charts/bound-chart.ts'
import { collectRoots, type CollectOptions } from '../resolve/collect.ts'
import { installOf, type GivenValues, type Install } from '../charts/judge/install.ts'
import { coverageOf, type MissingImage } from '../charts/judge/judge.ts'
import { measuredCharts } from '../charts/judge/measured.ts'
import { proveAll } from '../charts/judge/prove-all.ts'
import { FailuresError, type Failure } from '../run/failures.ts'
import type { ChartProof } from '../format/charts/chart-proof.ts'
import { closeAll, renderCharts, type HelmSetup } from '../charts/render-all.ts'
import { contentsOf } from '../format/contents.ts'
import type { ChartRoot, Root } from '../format/root.ts'
import type { Network } from '../run/network.ts'
import type { BundleSpec, SpecImage } from '../spec/spec.ts'

/** Which images that the charts name and the list lacks are included. */
export type AddMissing = 'none' | 'needed' | 'all'

export interface BindOptions {
  readonly session: Network
  readonly spec: BundleSpec
  /** A real helm, to find where the charts' values name images. */
  readonly helm?: HelmSetup
  /** Values beside those that the consumer chart hands to its children, for when there is no helm. */
  readonly given?: GivenValues
  /** False: what the charts pull is nobody's business. */
  readonly judge?: false
  /** Take images along that the charts name and the list lacks. */
  readonly addMissing?: AddMissing
}

/** What the charts of an export were found to name. */
export interface BoundExport {
  readonly bound: readonly BoundChart[]
  /** What was proven by rendering, or judged by what was measured; charts of which nothing is known are absent. */
  readonly proof: readonly ChartProof[]
  /** Images that the charts name and the list lacks, which are included. */
  readonly added?: readonly Root[]
  /** Those that are needed and were not included. */
  readonly missing?: readonly MissingImage[]
}

/** Finds where the charts name images, adds what the list lacks, and proves the override when there is a helm. */
export async function bindAndProve(
  listed: readonly Root[],
  options: BindOptions,
  collecting: CollectOptions,
): Promise<BoundExport> {
  const { spec, session, addMissing = 'none' } = options
  const charts = listed.filter((root) => root.kind === 'chart')
  const { rendered, install } = await openCharts(charts, options)
  try {
    const measured = measuredCharts(
      options.judge === false
        ? []
        : charts.filter(({ chart }) => !rendered.some(({ bound }) => bound.chart === chart)),
      spec,
      install,
      options.given,
    )
    const bound = charts.map(
      ({ chart, tgz }) =>
        rendered.find((one) => one.bound.chart === chart)?.bound ??
        measured.find((one) => one.bound.chart === chart)?.bound ??
        staticChart(tgz, install.of(chart)),
    )
    const { missing, unreferenced } = coverageOf(bound, listed.map(contentsOf), spec, install)
    if (rendered.length > 0 && unreferenced.length > 0) {
      session.emit({
        type: 'warning',
        message: `no chart refers to ${unreferenced.join(', ')}`,
        where: spec.name,
      })
    }
    const wanted = missing.filter(
      ({ need }) => addMissing === 'all' || (addMissing === 'needed' && need === 'needed'),
    )
    const added = await fetchMissing(wanted, collecting)
    const roots = [...listed, ...added].map(contentsOf)
    const packages = new Map(charts.map(({ chart, tgz }) => [chart, tgz]))
    const proof = [
      ...(await proveAll(rendered, { name: spec.name, spec, roots, bound, packages, install })),
      ...measured.map((one) => one.judge(roots)),
    ]
    return {
      bound,
      proof: charts.flatMap(({ chart }) => proof.find((one) => one.chart === chart) ?? []),
      added,
      missing: missing.filter((image) => image.need === 'needed' && !wanted.includes(image)),
    }
  } finally {
    await closeAll(rendered)
  }
}

/**
 * Ends an export that would not hold what the installation pulls.
 * @throws FailuresError that names each image, who pulls it and where
 */
export function refuseMissing(missing: readonly MissingImage[]): void {
  if (missing.length === 0) return
  throw new FailuresError(
    `${missing.length} images that the charts will pull are not in the list; without them pods would not start`,
    missing.map(({ chart, path, at, image, hint }) => ({
      kind: 'image',
      name: formatReference(image),
      error: new BundleError(`${chart} pulls it (${path === undefined ? '' : `${path}, `}${at})`, {
        kind: 'failed',
        ...(hint === undefined ? {} : { next: hint.reason }),
      }),
    })),
    'add them with --add-missing, or to the list; --no-prove asks nothing of the charts',
  )
}

/**
 * Ends an export whose charts were not all proven by rendering them.
 * @throws FailuresError that names each chart and what is wrong with its proof
 */
export function requireProof(charts: readonly string[], proofs: readonly ChartProof[]): void {
  const failures = charts.flatMap((chart): Failure[] => {
    const proof = proofs.find((one) => one.chart === chart)
    const why =
      proof === undefined
        ? 'no helm rendered it, and it was never measured'
        : proof.off !== undefined
          ? undefined
          : proof.measured === true
            ? 'no helm rendered it: it is judged by what was measured for its version'
            : proof.failures[0]
    return why === undefined
      ? []
      : [{ kind: 'chart', name: chart, error: new BundleError(why, { kind: 'failed' }) }]
  })
  if (failures.length === 0) return
  throw new FailuresError(
    `${failures.length} charts are not proven, and --require-proof asks for it`,
    failures,
    'run it where there is a helm 3 or 4, or with --helm <program>; give values with --values <chart>=<file>',
  )
}

// --- internal ---

const openCharts = async (
  charts: readonly ChartRoot[],
  { helm, given, spec, session }: BindOptions,
): Promise<{ readonly rendered: readonly RenderedChart[]; readonly install: Install }> =>
  helm === undefined
    ? { rendered: [], install: installOf(spec, charts, given) }
    : renderCharts(charts, helm, session)

/** By the name that the charts use, from where it is now. */
async function fetchMissing(
  missing: readonly MissingImage[],
  collecting: CollectOptions,
): Promise<readonly Root[]> {
  if (missing.length === 0) return []
  const images = missing.map(({ image, hint }): SpecImage => ({
    reference: hint?.take ?? image,
    ...(hint?.take === undefined ? {} : { as: image }),
    allowMissingPlatforms: false,
  }))
  return collectRoots([{ name: 'missing', optional: false, charts: [], images, files: [] }], collecting)
}
