import { readChart } from '../../../helm/values/chart/files.ts'
import { findOperands } from '../../../helm/values/operator/operands.ts'
import { findStatic } from '../../../helm/values/static.ts'
import type { BoundChart } from '../../format/charts/bound-chart.ts'
import type { ChartInstall } from './install.ts'
import { withOperands } from './objects.ts'

/** What the names of keys suggest, for when there is no helm. */
export function staticChart(tgz: Uint8Array, { layers: given }: ChartInstall): BoundChart {
  const chart = readChart(tgz)
  const layers = given.map(({ values }) => values)
  const { name, version } = chart.metadata
  const bound: BoundChart = {
    chart: name,
    version,
    rendered: false,
    bindings: findStatic(chart, layers),
    notLanded: [],
    unreachable: [],
  }
  const isController = [...chart.templates.values()].some((text) => CONTROLLER.test(text))
  return withOperands(bound, isController ? findOperands(tgz) : undefined, isController)
}

// --- internal ---

/** What runs all the time, as a template writes it. */
const CONTROLLER = /^kind:\s*["']?(?:Deployment|StatefulSet|DaemonSet)\b/m
