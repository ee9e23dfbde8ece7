import type { Cache } from '../../lib/bytes/cache.ts'
import { effectiveValues } from '../../helm/values/chart/effective.ts'
import type { Binding } from '../../helm/values/binding.ts'
import { readChart } from '../../helm/values/chart/files.ts'
import type { Helm, HelmRenderer } from '../../helm/values/render/helm.ts'
import { landOverride } from '../../helm/values/write/try-override.ts'
import { prove, type Proof } from '../../helm/values/prove.ts'
import type { Variant } from '../../helm/values/render/variant.ts'
import { REQUIRED, type BoundChart } from '../format/charts/bound-chart.ts'
import type { RootContents } from '../format/contents.ts'
import type { SpecBinding, SpecHint } from '../spec/spec.ts'
import type { ChartInstall } from './judge/install.ts'
import { withObjects, withOperands, type AppliedObjects } from './judge/objects.ts'
import { aliasesOf, withoutPlaces } from './judge/judge.ts'
import { chartProof } from './proof.ts'
import type { ChartProof } from '../format/charts/chart-proof.ts'
import { overrideValues } from '../../helm/values/override.ts'
import { findOperands } from '../../helm/values/operator/operands.ts'
import { findUses } from '../../helm/values/uses.ts'
import { findByRendering } from '../../helm/values/search.ts'
import type { Values } from '../../helm/values/tree.ts'
import { pathText, valueAt } from '../../helm/values/tree.ts'
import { assignmentsFor } from '../../helm/values/write/write.ts'
import { digestOf } from '../../oci/digest.ts'
import { parseReference } from '../../oci/reference.ts'
import { placeIn, type Layout } from '../format/destination.ts'
import { createKeptChart, type Fresh } from './kept.ts'
import { createPrivateImages, withAliases, type PrivateImages } from './private-images.ts'

/** A place in the values that still names a public image. */
export interface UnboundReference {
  readonly path: string
  readonly reference: string
  readonly reason: string
  /** Only when something is switched on that is off now. */
  readonly off: boolean
  readonly hook?: string
}

/** A registry that cannot be one: what is written at export is proven with it, and written again for the real one. */
export const SOMEWHERE: Layout = {
  registry: 'registry.invalid',
  path: '',
  prefix: 'mirrored',
  chartPrefix: 'charts',
}

/** What it took to look into a chart. */
export interface Effort {
  /** Starts of helm; 0 when an earlier run has found all of it. */
  readonly renders: number
  readonly seconds: number
}

/** A chart that helm has rendered, kept open so that it can be proven with what the bundle turns out to have. */
export interface RenderedChart {
  readonly bound: BoundChart
  /** What it took so far. */
  readonly effort: Effort
  /**
   * Renders it with the override for these images, and judges every reference.
   * @param whole the override for `SOMEWHERE`, of a chart that takes more than the places of its images
   */
  prove(roots: readonly RootContents[], whole?: Values): Promise<ChartProof>
  close(): Promise<void>
}

export interface RenderChartOptions {
  readonly variants?: readonly Variant[]
  readonly hints?: readonly SpecHint[]
  /** What the spec says of its places; an `image` there takes the place of what the chart names. */
  readonly known?: readonly SpecBinding[]
  /** The user's own that its controllers act on. */
  readonly objects?: readonly AppliedObjects[]
  /** Dotted path of values that are handed to other charts, and judged there. */
  readonly foreign?: string
  /** What runs before this one found; helm is not started for what it has. */
  readonly cache?: Cache
}

/**
 * Finds where a chart's values name images, by rendering, and proves each place by writing to it.
 * @param install values between the chart's own and the override, the last of which wins; whether it is installed
 * @param variants ways to render it; the first is how it is installed
 * @returns undefined when helm cannot render the chart at all
 */
export async function renderChart(
  tgz: Uint8Array,
  install: ChartInstall,
  helm: Helm,
  { variants = [], hints = [], known = [], objects = [], foreign, cache }: RenderChartOptions = {},
): Promise<RenderedChart | undefined> {
  const layers = install.layers.map(({ values }) => values)
  const kept = createKeptChart(cache, { helm: helm.version, chart: digestOf(tgz), layers, variants })
  let opened: HelmRenderer | undefined
  const open = async (): Promise<HelmRenderer> => (opened ??= await helm.open(tgz))
  const close = async (): Promise<void> => opened?.close()
  let milliseconds = 0
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    try {
      return await work()
    } finally {
      milliseconds += performance.now() - started
    }
  }
  const explore = async (): Promise<Fresh | undefined> => {
    const chart = readChart(tgz)
    const renderer = await open()
    const search = await findByRendering(chart, layers, renderer, { variants, digests: true })
    if (search.variants.length === 0) return undefined
    const destinations = { destinationOf: (reference: string) => placeIn(SOMEWHERE, reference) }
    const landed = await landOverride(chart, layers, search, renderer, destinations)
    const { name, version } = chart.metadata
    const uses = await findUses(chart, layers, search, renderer)
    const found: BoundChart = {
      chart: name,
      version,
      rendered: true,
      bindings: landed.bindings.map((binding) => asRequired(binding, search.variants[0]?.values)),
      notLanded: [
        ...landed.notLanded.flatMap(({ binding, reason }) =>
          binding.references.map((reference) => ({ path: pathText(binding.path), reference, reason })),
        ),
        ...landed.elsewhere.map(({ binding, reference, variant }) => ({
          path: pathText(binding.path),
          reference,
          reason: `what is written there for ${binding.reference} is wrong in the variant "${variant.name}": set it by hand in that mode`,
        })),
      ],
      ...(search.modes.length === 0 ? {} : { modes: search.modes }),
      ...(search.refusal === undefined ? {} : { refusal: search.refusal }),
      uses,
      unreachable: search.unreachable.map(({ reference, at, reason }) => ({ reference, at, reason })),
    }
    const isController = uses.some(({ at }) => /^(?:Deployment|StatefulSet|DaemonSet)\//.test(at))
    const bound = withOperands(found, findOperands(tgz), isController)
    // It holds on to all that was rendered.
    const { again: _again, ...seen } = search
    return { explored: { bound, search: seen }, isWhole: !renderer.wasStopped }
  }
  try {
    const explored = await timed(() => kept.explored(explore))
    if (explored === undefined) {
      await close()
      return undefined
    }
    const { search } = explored
    const bound = withObjects(withoutPlaces(explored.bound, foreign), objects)
    return {
      bound,
      get effort() {
        return { renders: opened?.renders ?? 0, seconds: milliseconds / 1000 }
      },
      async prove(roots, whole) {
        const all = withAliases(createPrivateImages(roots, SOMEWHERE), aliasesOf(bound, known))
        const values = whole ?? boundValues(bound, tgz, all, SOMEWHERE).values
        const judge = async (images: PrivateImages): Promise<Proof> =>
          prove(layers, values, await open(), search, {
            destinationOf: (reference) => images.rewrite(reference) ?? placeIn(SOMEWHERE, reference),
            isPrivate: (reference) => reference.startsWith(`${SOMEWHERE.registry}/${SOMEWHERE.prefix}/`),
            isBundled: (reference) => images.rewrite(reference) !== undefined,
            variants: variants.length > 0 ? variants : search.variants.slice(0, 1),
          })
        const proof = await timed(() => kept.proof(values, all, judge))
        const isBundled = (reference: string): boolean => all.rewrite(reference) !== undefined
        return chartProof(bound, proof, { hints, install, objects, isBundled })
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * The values that point a bound chart to the private registry, for the images that are there. A place that makes
 * several references is written when any of them is there: the others could not be pulled either way.
 */
export function boundValues(
  { bindings }: BoundChart,
  tgz: Uint8Array,
  images: PrivateImages,
  layout: Layout,
  pinDigests = false,
): { readonly values: Values; readonly unbound: readonly UnboundReference[] } {
  const isThere = (reference: string): boolean => images.rewrite(reference) !== undefined
  const writable = bindings.filter(({ references, stem }) =>
    references.some(stem === true ? (one) => images.holdsUnder(one) : isThere),
  )
  const { assignments, refused } = assignmentsFor(writable, {
    destinationOf: (reference) => images.rewrite(reference) ?? placeIn(layout, reference),
    ...(pinDigests
      ? { digestOf: (reference: string) => images.find(parseReference(reference))?.digest }
      : {}),
  })
  const about = ({ path, reference, variant, hook }: Binding, reason: string): UnboundReference => ({
    path: pathText(path),
    reference,
    reason,
    off: variant !== undefined,
    ...(hook === undefined ? {} : { hook }),
  })
  return {
    values: overrideValues(assignments, effectiveValues(readChart(tgz))),
    unbound: [
      ...refused.map(({ binding, reason }) => about(binding, reason)),
      ...bindings
        .filter((binding) => !writable.includes(binding))
        .map((binding) =>
          about(
            binding,
            binding.stem === true
              ? 'the bundle has no image whose name begins so'
              : 'the bundle does not have the image',
          ),
        ),
    ],
  }
}

// --- internal ---

/** A chart that refuses to render without a value was given one; what that makes is not what will be pulled. */
function asRequired(binding: Binding, given: Values | undefined): Binding {
  const isGiven = binding.leaves.some(({ path }) => valueAt(given, path) !== undefined)
  return isGiven && binding.variant === undefined ? { ...binding, variant: REQUIRED } : binding
}
