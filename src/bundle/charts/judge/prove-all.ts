import { availableParallelism } from 'node:os'
import { parse } from 'yaml'
import { isMap, type Values } from '../../../helm/values/tree.ts'
import { settled } from '../../../lib/bytes/buffers.ts'
import { createPool } from '../../../lib/pool.ts'
import type { ChartProof } from '../../format/charts/chart-proof.ts'
import { SOMEWHERE, type RenderedChart } from '../render.ts'
import { computeValues, type OverrideFacts } from '../values.ts'

/**
 * Proves rendered charts with the override for what a bundle has: the chart that installs the others with all that an
 * import writes for it, the others with the places of their images.
 */
export async function proveAll(
  rendered: readonly RenderedChart[],
  facts: OverrideFacts,
): Promise<readonly ChartProof[]> {
  const umbrella = facts.install.consumer?.chart
  const pool = createPool(Math.max(2, availableParallelism()))
  return Promise.all(
    rendered.map((chart) =>
      pool.run(async () => {
        const whole = chart.bound.chart === umbrella ? umbrellaValues(facts) : undefined
        const proof = await chart.prove(facts.roots, whole)
        settled()
        return proof
      }),
    ),
  )
}

// --- internal ---

function umbrellaValues(facts: OverrideFacts): Values {
  const values: unknown = parse(computeValues(facts, SOMEWHERE).umbrella)
  return isMap(values) ? values : {}
}
