import { isTag, parseReference, type Reference } from '../../oci/reference.ts'
import type { ChartContents, ImageContents } from './contents.ts'
import { mappedName, templatedName, type NameMap } from './destinations/names.ts'

/** Where things land in the private registry. */
export interface Layout {
  /** Host, optional port. */
  readonly registry: string
  /** Repository path before everything: a registry shared with others. May be empty. */
  readonly path: string
  /** Before images; `mirrored` by default. */
  readonly prefix: string
  /** Before charts; `charts` by default. */
  readonly chartPrefix: string
  /** Names of their own for some images, the longest first; they count before the prefix and the template. */
  readonly maps?: readonly NameMap[]
  /** `{host}/{path}`: how names are made, in place of the prefix. */
  readonly template?: string
}

/** What has a place at the destination. */
export type LandingRoot =
  | Pick<ImageContents, 'kind' | 'name' | 'chart'>
  | Pick<ChartContents, 'kind' | 'chart' | 'version'>

/**
 * The repository an image lands in: `<prefix>/<source registry>/<path>`, unless a map or a template says otherwise. A
 * port's colon becomes `-`, because a repository name has none. The one function that decides it, for the push and for
 * the values override.
 */
export function imageRepository(layout: Layout, reference: Reference): string {
  const { path, prefix, maps = [], template } = layout
  const mapped = mappedName(maps, reference)
  if (mapped !== undefined) return joined(path, mapped)
  const host = reference.registry.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-')
  if (template !== undefined) return joined(path, templatedName(template, host, reference))
  return joined(path, prefix, host, reference.repository)
}

/** The flags that make the names of a layout, when they are not the usual ones; for people. */
export function namesText({ prefix, chartPrefix, maps = [], template }: Layout): string | undefined {
  const flags = [
    ...(prefix === DEFAULT_PREFIX || template !== undefined ? [] : [`--prefix '${prefix}'`]),
    ...(chartPrefix === DEFAULT_CHART_PREFIX ? [] : [`--chart-prefix '${chartPrefix}'`]),
    ...maps.map(({ from, to }) => `--map '${from}=${to}'`),
    ...(template === undefined ? [] : [`--repository '${template}'`]),
  ]
  return flags.length === 0 ? undefined : flags.join(' ')
}

export const DEFAULT_PREFIX = 'mirrored'
export const DEFAULT_CHART_PREFIX = 'charts'

/** Where an import puts an image of that name: the whole reference. */
export function placeIn(layout: Layout, reference: string): string {
  const parsed = parseReference(reference)
  const tag = parsed.tag === undefined ? '' : `:${parsed.tag}`
  const digest = parsed.digest === undefined ? '' : `@${parsed.digest}`
  return `${layout.registry}/${imageRepository(layout, parsed)}${tag}${digest}`
}

/** The repository a chart lands in: `<chartPrefix>/<name>`, which is where `helm push` would put it. */
export const chartRepository = (layout: Layout, chart: string): string =>
  joined(layout.path, layout.chartPrefix, chart)

/** Helm writes `+` as `_`, because tags have none: https://helm.sh/docs/topics/registries/#oci-feature-deprecation-and-behavior-changes-with-v380 */
export const chartTag = (version: string): string => version.replaceAll('+', '_')

/**
 * All tags a chart version gets, the commit record (its exact version) last. `v1.17.2` is also known as `1.17.2`,
 * because Helm takes a `--version` literally as the tag and does not see tags with a `v` when it looks for ranges.
 */
export function chartTags(version: string): readonly string[] {
  const exact = chartTag(version)
  const alias = /^v(\d+\.\d+\.\d+(?:[-+_].*)?)$/.exec(exact)?.[1]
  return alias !== undefined && isTag(alias) ? [alias, exact] : [exact]
}

/** Where a root lands, and under which tags (the commit record last). */
export function destinationOf(
  root: LandingRoot,
  layout: Layout,
): { readonly repository: string; readonly tags: readonly string[] } {
  if (root.kind === 'chart') {
    return { repository: chartRepository(layout, root.chart), tags: chartTags(root.version) }
  }
  const reference = parseReference(root.name)
  return {
    // Signatures of a chart are looked for beside the chart.
    repository:
      root.chart === undefined ? imageRepository(layout, reference) : chartRepository(layout, root.chart),
    tags: reference.tag === undefined ? [] : [reference.tag],
  }
}

// --- internal ---

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('/')
