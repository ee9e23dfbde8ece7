import { availableParallelism } from 'node:os'
import type { Helm } from '../../helm/values/render/helm.ts'
import { settled } from '../../lib/bytes/buffers.ts'
import type { Cache } from '../../lib/bytes/cache.ts'
import { createPool } from '../../lib/pool.ts'
import type { RenderRefusal } from '../../helm/values/binding.ts'
import type { Variant } from '../../helm/values/render/variant.ts'
import { findOperands } from '../../helm/values/operator/operands.ts'
import { shareObjects, type AppliedObjects } from './judge/objects.ts'
import { installOf, type GivenValues, type Install } from './judge/install.ts'
import { renderChart, type RenderedChart } from './render.ts'
import type { Network } from '../run/network.ts'
import { hintsOf } from '../spec/hints.ts'
import type { BundleSpec } from '../spec/spec.ts'

/** A real helm, and how the charts are installed. */
export interface HelmSetup {
  readonly program: Helm
  /** Values beside those that the consumer chart hands to its children. */
  readonly given: GivenValues
  /** Ways to render each chart; the first is how it is installed. Empty: as the layers say. */
  readonly variants: readonly Variant[]
  /** What is known of the charts beside their own text. */
  readonly spec: BundleSpec
  /** What runs before this one found. */
  readonly cache?: Cache
}

/** A packaged chart. */
export interface ChartPackage {
  readonly chart: string
  /** `<name>:<version>`. */
  readonly name: string
  readonly tgz: Uint8Array
}

export interface RenderedCharts {
  readonly rendered: readonly RenderedChart[]
  readonly install: Install
}

/**
 * Renders charts side by side, up to the cores there are, each as it is installed. Those that helm cannot render are
 * warned about and left out. The caller closes what comes back, which is in the order of the charts.
 */
export async function renderCharts(
  charts: readonly ChartPackage[],
  { program, given, variants, spec, cache }: HelmSetup,
  { emit, signal }: Pick<Network, 'emit' | 'signal'>,
): Promise<RenderedCharts> {
  const install = installOf(spec, charts, given)
  const hints = hintsOf(spec)
  const objects = objectsOf(charts, given.objects ?? [], install.consumer?.chart, emit)
  emit({ type: 'phase', phase: 'prove', items: charts.length, bytes: 0 })
  const pool = createPool(Math.max(2, availableParallelism()))
  let failed = false
  const render = async ({ chart, name, tgz }: ChartPackage): Promise<RenderedChart | undefined> => {
    signal.throwIfAborted()
    if (failed) return undefined
    const one = await renderChart(tgz, install.of(chart), program, {
      variants,
      hints: hints.get(chart) ?? [],
      ...(chart === install.consumer?.chart
        ? { known: install.consumer.bindings, foreign: install.consumer.chartsAt }
        : {}),
      objects: objects.get(chart) ?? [],
      ...(cache === undefined ? {} : { cache }),
    })
    settled()
    emit({
      type: 'root',
      phase: 'prove',
      kind: 'chart',
      name,
      outcome: one === undefined ? 'failed' : 'resolved',
    })
    if (one?.bound.refusal !== undefined)
      emit({
        type: 'warning',
        message: refusalText(one.bound.refusal),
        where: `chart ${name}`,
        next: `give the values it is installed with: --values ${chart}=<file>`,
      })
    if (one !== undefined) return one
    emit({
      type: 'warning',
      message: 'helm cannot render it, so its image bindings are not proven',
      where: `chart ${name}`,
      next: `give the values it is installed with: --values ${chart}=<file>`,
    })
    return undefined
  }
  // The largest first: begun last, it would be waited for alone.
  const started = new Map(
    charts
      .toSorted((a, b) => b.tgz.length - a.tgz.length)
      .map((one) => [
        one,
        pool.run(() =>
          render(one).catch((error: unknown) => {
            failed = true
            throw error
          }),
        ),
      ]),
  )
  const all = await Promise.allSettled(charts.map((one) => started.get(one) ?? Promise.resolve(undefined)))
  const rendered = all.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []))
  const broken = all.find((one) => one.status === 'rejected')
  if (broken === undefined) return { rendered, install }
  await closeAll(rendered)
  throw broken.reason
}

export async function closeAll(charts: readonly RenderedChart[]): Promise<void> {
  await Promise.all(charts.map((chart) => chart.close()))
}

// --- internal ---

/** Whose objects the user's are; says so when no chart defines a kind. */
function objectsOf(
  charts: readonly ChartPackage[],
  objects: readonly AppliedObjects[],
  consumer: string | undefined,
  emit: Network['emit'],
): ReadonlyMap<string, readonly AppliedObjects[]> {
  const lastResort = consumer ?? charts[0]?.chart
  if (objects.length === 0 || lastResort === undefined) return new Map()
  const kinds = new Map(
    charts.map(({ chart, tgz }) => [chart, new Set(findOperands(tgz)?.kinds.map(({ kind }) => kind))]),
  )
  const { byChart, unclaimed } = shareObjects(objects, kinds, lastResort)
  if (unclaimed.length > 0) {
    emit({
      type: 'warning',
      message: `no chart defines ${unclaimed.join(', ')}: only the images that stand in such objects are known`,
      where: objects.map(({ file }) => file).join(', '),
    })
  }
  return byChart
}

/** That the chart does not take the values given alone, why, and what was rendered instead. */
function refusalText({ message, instead, filled }: RenderRefusal): string {
  const [line = ''] = message.replace(/^Error: (?:execution error at )?/, '').split('\n')
  const what = {
    filled: `rendered with made-up values for ${filled.join(', ')}`,
    example: 'rendered with the values that its authors test it with',
    unchecked: 'rendered without its own checks',
  }[instead]
  return `it does not render with these values alone, and was ${what}; helm's words: ${line.slice(0, 300)}`
}
