import type { Helm } from '../../helm/values/render/helm.ts'
import type { Values } from '../../helm/values/tree.ts'
import type { Variant } from '../../helm/values/render/variant.ts'
import { renderChart, type RenderedChart } from './render.ts'
import type { Session } from '../run/network.ts'
import type { BundleSpec } from '../spec/spec.ts'

/** A real helm, and how the charts are installed. */
export interface HelmSetup {
  readonly program: Helm
  /** Layers of values by chart name, the last of which wins. */
  readonly layers: ReadonlyMap<string, readonly Values[]>
  /** Ways to render each chart; the first is how it is installed. Empty: as the layers say. */
  readonly variants: readonly Variant[]
  /** What the spec knows that no chart tells, by chart name. */
  readonly hints: BundleSpec['hints']
}

/** A packaged chart. */
export interface ChartPackage {
  readonly chart: string
  /** `<name>:<version>`. */
  readonly name: string
  readonly tgz: Uint8Array
}

/**
 * Renders charts one after another. Those that helm cannot render are warned about and left out.
 * The caller closes what comes back.
 */
export async function renderCharts(
  charts: readonly ChartPackage[],
  helm: HelmSetup,
  { emit, signal }: Pick<Session, 'emit' | 'signal'>,
): Promise<readonly RenderedChart[]> {
  emit({ type: 'phase', phase: 'prove', items: charts.length, bytes: 0 })
  const rendered: RenderedChart[] = []
  try {
    for (const { chart, name, tgz } of charts) {
      signal.throwIfAborted()
      const one = await renderChart(tgz, helm.layers.get(chart) ?? [], helm.program, {
        variants: helm.variants,
        hints: helm.hints.get(chart) ?? [],
      })
      const outcome = one === undefined ? 'failed' : 'resolved'
      emit({ type: 'root', phase: 'prove', kind: 'chart', name, outcome })
      if (one !== undefined) rendered.push(one)
      else {
        emit({
          type: 'warning',
          message: 'helm cannot render it, so its image bindings are not proven',
          where: `chart ${name}`,
          next: 'give the values it is installed with: --values <chart>=<file>',
        })
      }
    }
    return rendered
  } catch (error) {
    await closeAll(rendered)
    throw error
  }
}

export async function closeAll(charts: readonly RenderedChart[]): Promise<void> {
  await Promise.all(charts.map((chart) => chart.close()))
}
