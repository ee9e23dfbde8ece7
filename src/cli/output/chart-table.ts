import type { BoundChart } from '../../bundle/format/charts/bound-chart.ts'
import type { ChartProof } from '../../bundle/format/charts/chart-proof.ts'
import type { Effort } from '../../bundle/charts/render.ts'
import { plural } from '../../lib/format.ts'
import type { CommandSession } from '../session.ts'
import { table, type Column } from '../ui/table.ts'

/** How one chart came out: numbers of references. */
export interface ChartTally {
  readonly chart: string
  readonly version: string
  readonly bound: number
  /** Needed, and not in the bundle. */
  readonly missing: number
  /** Needed, and out of reach of values. */
  readonly unreachable: number
  readonly onDemand: number
  readonly unknown: number
  /** `not installed`, `did not render`. */
  readonly remark?: string
  /** Names of the values it was rendered with, beside its own. */
  readonly values: readonly string[]
}

export interface ChartEffort {
  readonly chart: string
  readonly effort: Effort
}

export function tallyOfProof(proof: ChartProof): ChartTally {
  const { chart, version, boundCount, open, values = [], off, failures } = proof
  const needed = open.filter(({ need }) => need === 'needed')
  const remark = failures.length > 0 ? 'did not render' : off === undefined ? undefined : 'not installed'
  return {
    chart,
    version,
    bound: boundCount,
    missing: needed.filter(({ verdict }) => verdict === 'not-bundled').length,
    unreachable: needed.filter(({ verdict }) => verdict === 'unreachable').length,
    onDemand: open.filter(({ need }) => need === 'on-demand').length,
    unknown: open.filter(({ need }) => need === 'unknown').length,
    ...(remark === undefined ? {} : { remark }),
    values,
  }
}

/** Before there is a bundle nothing is missing from it: what values reach counts as bound. */
export function tallyOfBound(bound: BoundChart, values: readonly string[]): ChartTally {
  const { chart, version, uses = [], bindings } = bound
  const reached = new Set(bindings.flatMap(({ references }) => references))
  const needed = uses.filter(({ need }) => need === 'needed')
  // What the user's own objects name is theirs to rewrite.
  const isReached = needed.filter(({ reference, applied }) => applied === true || reached.has(reference))
  return {
    chart,
    version,
    bound: isReached.length,
    missing: 0,
    unreachable: needed.length - isReached.length,
    onDemand: uses.filter(({ need }) => need === 'on-demand').length,
    unknown: uses.filter(({ need }) => need === 'unknown').length,
    values,
  }
}

/** A line a chart in 80 columns, then what each was rendered with. */
export function chartTable(
  tallies: readonly ChartTally[],
  { columns, style }: Pick<CommandSession, 'columns' | 'style'>,
): string {
  const number = (title: string): Column => ({ title, align: 'right', whole: true })
  const titles = ['found', 'bound', 'missing', 'unreachable', 'on demand', 'unknown']
  const head = table(
    ['chart', ...titles.map(number)],
    tallies.map(({ chart, bound, missing, unreachable, onDemand, unknown }) => [
      chart,
      ...[
        bound + missing + unreachable + onDemand + unknown,
        bound,
        missing,
        unreachable,
        onDemand,
        unknown,
      ].map(String),
    ]),
    columns,
    { style },
  )
  return [head, '', 'Rendered with:', ...tallies.map(withText), ''].join('\n')
}

/** What it took: other than the rest, it differs from run to run. */
export function effortText(efforts: readonly ChartEffort[]): string {
  const sum = efforts.reduce((all, { effort }) => all + effort.renders, 0)
  if (sum === 0) return `${plural(efforts.length, 'chart')} known from an earlier run: nothing was rendered.`
  const lines = efforts
    .toSorted((a, b) => b.effort.seconds - a.effort.seconds)
    .map(({ chart, effort: { renders, seconds } }) =>
      renders === 0
        ? `  ${chart}: known from an earlier run`
        : `  ${chart}: ${plural(renders, 'render')}, ${seconds.toFixed(1)} s`,
    )
  return [`${plural(sum, 'render')}, charts side by side:`, ...lines].join('\n')
}

// --- internal ---

const withText = ({ chart, version, values, remark }: ChartTally): string =>
  `  ${chart} ${version}: ${values.length === 0 ? 'its own values' : values.join(', ')}${remark === undefined ? '' : `; ${remark}`}`
