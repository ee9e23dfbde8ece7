// Where charts name images: bindings, their proof, the override, and what covers images that no value reaches.
import { Document, isMap, isScalar, Scalar } from 'yaml'
import { visible } from '../../lib/text/visible.ts'
import { yamlText } from '../../lib/text/yaml.ts'
import type { Reference } from '../../oci/reference.ts'
import { bind, type Bindable, type OverrideLine, type Unbound } from './write-known.ts'
import { chartRepository, imageRepository, type Layout } from '../format/destination.ts'
import { isMap as isValues, mergeValues, type Values } from '../../helm/values/tree.ts'
import type { Consumer } from '../spec/model.ts'

/** A chart that is in the private registry. */
export interface ChartThere {
  readonly name: string
  /** What the consumer calls it. */
  readonly key: string
  /** As its Chart.yaml has it. */
  readonly version: string
  readonly bindings: readonly Bindable[]
  /** Values that were found and proven for this chart; they take the place of the bindings. */
  readonly values?: Readonly<Record<string, unknown>>
}

/** A place that the override leaves alone, and the chart it is in. */
export interface UnboundIn extends Unbound {
  readonly chart: string
}

export interface Override {
  readonly yaml: string
  readonly unbound: readonly UnboundIn[]
}

/**
 * The values file that points a consumer chart to the private registry: the registry's host, each child chart's OCI
 * address, version and images, and the images of its own. The same input gives the same bytes.
 * @param images names of the bundle's images
 * @param heading lines of the comment above, each on one line whatever it has
 * @param found values that were found and proven for the consumer chart itself; they go before its bindings
 */
export function umbrellaOverride(
  consumer: Consumer,
  charts: readonly ChartThere[],
  images: readonly Reference[],
  layout: Layout,
  heading: readonly string[] = [],
  found?: Values,
): Override {
  const destination = destinationIn(layout)
  const unbound: UnboundIn[] = []
  const document = new Document({})
  if (heading.length > 0) document.commentBefore = comment(heading)
  put(document, { path: consumer.registryAt.split('.'), value: layout.registry })
  for (const chart of charts.filter(({ name }) => name !== consumer.chart)) {
    const at = [...consumer.chartsAt.split('.'), chart.key]
    const repository = `oci://${layout.registry}/${chartRepository(layout, chart.name)}`
    put(document, { path: [...at, 'repository'], value: repository })
    // With its "+": helm writes the tag's "_" itself, and refuses a version that has one.
    put(document, { path: [...at, 'version'], value: chart.version })
    if (chart.values !== undefined) {
      document.setIn([...at, 'values'], document.createNode(chart.values))
      continue
    }
    const written = bind(asConsumed(chart, consumer), images, destination)
    for (const leaf of written.leaves) put(document, { ...leaf, path: [...at, 'values', ...leaf.path] })
    unbound.push(...written.unbound.map((place) => ({ chart: chart.name, ...place })))
  }
  const own = bind(consumer.bindings, images, destination)
  for (const leaf of own.leaves) put(document, leaf)
  for (const [key, value] of Object.entries(found ?? {}))
    document.set(key, document.createNode(mergedInto(document.get(key), value)))
  unbound.push(...own.unbound.map((place) => ({ chart: consumer.chart, ...place })))
  return { yaml: text(document), unbound }
}

/** The values file of one chart, for a plain `helm install -f`. Undefined when it has nothing to say. */
export function chartValues(
  chart: ChartThere,
  images: readonly Reference[],
  layout: Layout,
  heading: readonly string[] = [],
): { readonly yaml: string | undefined; readonly unbound: readonly UnboundIn[] } {
  const document = new Document(chart.values ?? {})
  if (heading.length > 0) document.commentBefore = comment(heading)
  if (chart.values !== undefined) return { yaml: text(document), unbound: [] }
  const { leaves, unbound } = bind(chart.bindings, images, destinationIn(layout))
  for (const leaf of leaves) put(document, leaf)
  return {
    yaml: leaves.length === 0 ? undefined : text(document),
    unbound: unbound.map((place) => ({ chart: chart.name, ...place })),
  }
}

// --- internal ---

/** A value over what the document has at that key already. */
function mergedInto(node: unknown, value: unknown): unknown {
  const before: unknown = isMap(node) ? node.toJSON() : undefined
  return isValues(before) && isValues(value) ? mergeValues(before, value) : value
}

const destinationIn =
  (layout: Layout) =>
  (image: Reference): string =>
    `${layout.registry}/${imageRepository(layout, image)}`

/** The chart's bindings as they are under the consumer's own values for it. */
const asConsumed = (chart: ChartThere, consumer: Consumer): readonly Bindable[] =>
  chart.bindings.map((binding) => {
    const set = consumer.sets.get(chart.key)?.find(({ path }) => path === binding.path)
    return set === undefined ? binding : { ...binding, reference: set.reference }
  })

function put(document: Document, { path, value, comment: why }: OverrideLine): void {
  const scalar = new Scalar(value)
  if (NOT_PLAIN.test(value)) scalar.type = Scalar.QUOTE_DOUBLE
  if (why !== undefined) scalar.comment = ` ${why}`
  document.setIn(path, scalar)
}

/** What a YAML 1.1 reader, as helm has one, could take for a number, a date or a boolean: `1.10`, `0x1f`, `12:30`, `no`. */
const NOT_PLAIN = /^[^a-z0-9]|^\d[\da-fox.+_:-]*$|^(?:y|n|yes|no|on|off|true|false|null)$/i

const comment = (lines: readonly string[]): string => lines.map((line) => ` ${visible(line)}`).join('\n')

function text(document: Document): string {
  quote(document.contents)
  return yamlText(document)
}

/** Values given as a whole are quoted by the same rule. */
function quote(node: unknown): void {
  if (isScalar(node) && typeof node.value === 'string' && NOT_PLAIN.test(node.value)) {
    node.type = Scalar.QUOTE_DOUBLE
  } else if (isMap(node)) {
    for (const { value } of node.items) quote(value)
  } else if (typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items)) {
    for (const item of node.items) quote(item)
  }
}
