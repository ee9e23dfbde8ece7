import type { Chart } from './files.ts'
import { isMap, mergeValues, type Values } from '../tree.ts'

/**
 * What the templates of a chart see, from the root: defaults of chart and subcharts under the given layers, the
 * last of which wins. A null stays a null, because a template may still be given a value there. `<sub>.global` is
 * lifted into the root's `global`, which wins over it:
 * https://helm.sh/docs/chart_template_guide/subcharts_and_globals/#global-chart-values
 */
export function effectiveValues(chart: Chart, layers: readonly Values[] = []): Values {
  const given = layers.reduce<Values>(mergeValues, {})
  const globals: Values[] = []
  const merged = coalesce(chart, given, globals)
  const own = isMap(merged.global) ? merged.global : {}
  const global = globals.reduceRight<Values>((over, under) => mergeValues(under, over), own)
  return Object.keys(global).length > 0 ? { ...merged, global } : merged
}

// --- internal ---

function coalesce(chart: Chart, given: Values, globals: Values[]): Values {
  const values = mergeValues(chart.values, given)
  for (const { key, chart: inner } of chart.subcharts) {
    const forInner = values[key]
    const { global, ...rest } = coalesce(inner, isMap(forInner) ? forInner : {}, globals)
    if (isMap(global)) globals.push(global)
    values[key] = rest
  }
  return values
}
