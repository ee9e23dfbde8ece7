import { parse } from 'yaml'
import { readChart } from '../../../helm/values/chart/files.ts'
import { isMap, mergeValues, valueAt, type Values } from '../../../helm/values/tree.ts'
import { BundleError, messageOf } from '../../../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import type { BundleSpec, Consumer } from '../../spec/spec.ts'
import type { AppliedObjects } from './objects.ts'
import { consumerOf } from '../override-charts.ts'

/** A layer of values, and what people know it by: a file's name. */
export interface ValuesLayer {
  readonly name: string
  readonly values: Values
}

/** Values that a user gives, beside those that the spec knows of. */
export interface GivenValues {
  /** On top of the consumer chart's. */
  readonly consumer: readonly ValuesLayer[]
  /** Files inside the consumer chart, in place of those that the spec names; empty: the spec's. */
  readonly consumerFiles: readonly string[]
  /** On top of everything, by chart name. */
  readonly charts: ReadonlyMap<string, readonly ValuesLayer[]>
  /** Applied beside the charts. */
  readonly objects?: readonly AppliedObjects[]
}

/** How one chart is installed. */
export interface ChartInstall {
  /** Values between the chart's own and the override, the last of which wins. */
  readonly layers: readonly ValuesLayer[]
  /** Why it is not installed at all: `conditionalPackageInstalls.jaeger is off`. */
  readonly off?: string
}

/** How the charts of a bundle are installed together. */
export interface Install {
  /** The chart that installs the others, when it is one of these charts. */
  readonly consumer?: Consumer
  of(chart: string): ChartInstall
}

interface ChartPackage {
  readonly chart: string
  readonly tgz: Uint8Array
}

const NOTHING_GIVEN: GivenValues = { consumer: [], consumerFiles: [], charts: new Map() }

/**
 * Reads from the consumer chart which charts it installs, and with what values. Without one among them each chart is
 * installed by itself, with its own values and those given.
 * @throws BundleError when the consumer chart lacks a file of values that the spec or the user names
 */
export function installOf(
  spec: BundleSpec,
  charts: readonly ChartPackage[],
  given: GivenValues = NOTHING_GIVEN,
): Install {
  const known = consumerOf(spec)
  const own = charts.find(({ chart }) => chart === known?.chart)
  const layers = known === undefined || own === undefined ? given.consumer : ownLayers(known, own, given)
  const values = layers.reduce<Values>((under, one) => mergeValues(under, one.values), defaults(own))
  const keys = new Map(spec.groups.flatMap((group) => group.charts).map(({ name, key }) => [name, key]))
  return {
    ...(known === undefined || own === undefined ? {} : { consumer: known }),
    of(chart) {
      const extra = given.charts.get(chart) ?? []
      if (own !== undefined && chart === own.chart) return { layers: [...layers, ...extra] }
      const key = keys.get(chart) ?? chart
      const path = [...(known?.chartsAt ?? 'charts').split('.'), key]
      const handed = valueAt(values, [...path, 'values'])
      const name = `${[...path, 'values'].join('.')} of ${own?.chart ?? layers.map((one) => one.name).join(', ')}`
      const off = known === undefined || own === undefined ? undefined : whyOff(known, key, values)
      return {
        layers: [
          ...(isMap(handed) && Object.keys(handed).length > 0 ? [{ name, values: handed }] : []),
          ...extra,
        ],
        ...(off === undefined ? {} : { off }),
      }
    },
  }
}

/** Files of YAML at the top of a chart, as they are written. */
export function valuesFiles({
  chart,
  tgz,
}: ChartPackage): readonly { readonly name: string; readonly text: string }[] {
  const { files } = readChart(tgz, `chart ${chart}`)
  return [...files].filter(([path]) => /\.ya?ml$/.test(path)).map(([name, text]) => ({ name, text }))
}

// --- internal ---

const defaults = (chart: ChartPackage | undefined): Values =>
  chart === undefined ? {} : readChart(chart.tgz, `chart ${chart.chart}`).values

function ownLayers(known: Consumer, chart: ChartPackage, given: GivenValues): readonly ValuesLayer[] {
  const names = given.consumerFiles.length > 0 ? given.consumerFiles : known.values
  const there = valuesFiles(chart)
  const files = names.map((name) => {
    const file = there.find((one) => one.name === name)
    if (file !== undefined) return { name, values: parsed(file.text, name, chart) }
    throw new BundleError(`it has no file "${name}"`, {
      kind: 'usage',
      where: `chart ${chart.chart}`,
      next:
        there.length === 0
          ? 'it has no such files'
          : `its files are ${there.map((one) => one.name).join(', ')}`,
    })
  })
  return [...files, ...given.consumer]
}

function parsed(text: string, name: string, { chart }: ChartPackage): Values {
  try {
    if (nestsDeeper(text, MAX_NESTING)) throw new Error('it is nested too deeply')
    const values: unknown = parse(text, {
      maxAliasCount: 1000,
      merge: true,
      uniqueKeys: false,
      logLevel: 'error',
    })
    return isMap(values) ? values : {}
  } catch (cause) {
    throw new BundleError(`its ${name} is not YAML: ${messageOf(cause)}`, {
      kind: 'failed',
      where: `chart ${chart}`,
      cause,
    })
  }
}

function whyOff(
  { chart, chartsAt, installsWhen }: Consumer,
  key: string,
  values: Values,
): string | undefined {
  const entry = valueAt(values, [...chartsAt.split('.'), key])
  if (entry === undefined || entry === null) return `${chart} names no ${chartsAt}.${key}`
  if (installsWhen === undefined) return undefined
  const path = installsWhen.split('.').map((step) => (step === '{key}' ? key : step))
  // As a template's `if` takes it.
  return isOn(valueAt(values, path)) ? undefined : `${path.join('.')} is off`
}

const isOn = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : isMap(value) ? Object.keys(value).length > 0 : Boolean(value)
