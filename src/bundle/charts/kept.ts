import type { Cache } from '../../lib/bytes/cache.ts'
import { digestOf } from '../../oci/digest.ts'
import type { Proof } from '../../helm/values/prove.ts'
import type { Search } from '../../helm/values/search.ts'
import type { Values } from '../../helm/values/tree.ts'
import type { BoundChart } from '../format/charts/bound-chart.ts'
import { decodeBoundCharts } from '../format/charts/bound-chart-json.ts'
import type { PrivateImages } from './private-images.ts'

/** What rendering a chart showed. */
export interface Explored {
  readonly bound: BoundChart
  readonly search: Search
}

/** What earlier runs found of one chart, with the same values and the same helm. */
export interface KeptChart {
  /** @param explore finds it out; nothing is kept of what it says is not to be relied on */
  explored(explore: () => Promise<Fresh | undefined>): Promise<Explored | undefined>
  /** @param prove does it with these images, which take note of what it depends on */
  proof(
    override: Values,
    images: PrivateImages,
    prove: (images: PrivateImages) => Promise<Proof>,
  ): Promise<Proof>
}

export interface Fresh {
  readonly explored: Explored
  /** Helm was not cut off by a limit, which another run may not meet. */
  readonly isWhole: boolean
}

/**
 * @param inputs everything that makes a difference: a chart's bytes come as their digest
 * @param cache nothing is kept without one
 */
export function createKeptChart(
  cache: Cache | undefined,
  inputs: Readonly<Record<string, unknown>>,
): KeptChart {
  const name = digestOf(new TextEncoder().encode(JSON.stringify(inputs)))
  let entry: Entry | undefined
  return {
    async explored(explore) {
      entry = decodeEntry(await cache?.get(name))
      if (entry !== undefined) return entry
      const fresh = await explore()
      if (fresh === undefined || !fresh.isWhole) return fresh?.explored
      entry = { ...fresh.explored, proofs: [] }
      await cache?.put(name, encodeEntry(entry))
      return fresh.explored
    },
    async proof(override, images, prove) {
      const values = digestOf(new TextEncoder().encode(JSON.stringify(override)))
      const before = entry?.proofs.find(
        (one) =>
          one.values === values &&
          Object.entries(one.answers).every(([text, answer]) => (images.rewrite(text) ?? null) === answer),
      )
      if (before !== undefined) return before.proof
      const answers: Record<string, string | null> = {}
      const proof = await prove({
        ...images,
        rewrite(text) {
          const answer = images.rewrite(text)
          answers[text] = answer ?? null
          return answer
        },
      })
      if (entry === undefined) return proof
      entry = { ...entry, proofs: [{ values, answers, proof }, ...entry.proofs].slice(0, PROOFS) }
      await cache?.put(name, encodeEntry(entry))
      return proof
    },
  }
}

// --- internal ---

/** Of different lists that hold the same chart. */
const PROOFS = 4

interface Entry extends Explored {
  readonly proofs: readonly KeptProof[]
}

interface KeptProof {
  /** Digest of the override. */
  readonly values: string
  /** What the bundle had for each reference that the proof came upon: for others it makes no difference. */
  readonly answers: Readonly<Record<string, string | null>>
  readonly proof: Proof
}

/** As it lies in the cache, which gives back nothing but what this program put there. */
interface Packed {
  readonly bound: unknown
  readonly search: Omit<Search, 'places'>
  readonly places: readonly (readonly [string, Search['bindings'][number]])[]
  readonly proofs: readonly KeptProof[]
}

const encodeEntry = ({ bound, search: { places, ...search }, proofs }: Entry): Packed => ({
  bound: [bound],
  search,
  places: [...places],
  proofs,
})

function decodeEntry(value: unknown): Entry | undefined {
  if (value === undefined) return undefined
  const { bound: list, search, places, proofs } = value as Packed
  const [bound] = decodeBoundCharts(list)
  return bound === undefined ? undefined : { bound, search: { ...search, places: new Map(places) }, proofs }
}
