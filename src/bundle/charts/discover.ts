import { Document, YAMLMap, YAMLSeq } from 'yaml'
import { formatReference, parseReference, repositoryName } from '../../oci/reference.ts'
import type { BoundChart } from '../format/bound-chart.ts'
import { canonical, canonicalText } from '../spec/hints.ts'
import type { SpecChart, SpecImage } from '../spec/spec.ts'
import { nameOf } from '../spec/spec.ts'

/** A chart as listed, and what rendering it showed. */
export interface DiscoveredChart {
  readonly chart: SpecChart
  readonly bound: BoundChart
}

/** The images a chart pulls as it is installed, and those it would once something is switched on. */
export function imagesFound({ bound }: DiscoveredChart): {
  readonly on: readonly string[]
  readonly off: readonly string[]
} {
  const real = bound.bindings.filter(({ stem }) => stem !== true)
  const of = (isOn: boolean) =>
    real.filter(({ variant }) => (variant === undefined) === isOn).flatMap(({ references }) => references)
  const on = sorted([...of(true), ...bound.unreachable.flatMap(({ reference }) => normalised(reference))])
  return { on, off: sorted(of(false)).filter((reference) => !on.includes(reference)) }
}

/** A spec of the charts and all that they pull; what only a person can confirm stands in comments and hints. */
export function discoveredSpec(name: string, version: string, charts: readonly DiscoveredChart[]): string {
  const document = new Document({ apiVersion: 'ma-bundle/v1', kind: 'BundleSpec', name, version })
  const groups = new YAMLSeq()
  for (const discovered of charts) {
    const { chart } = discovered
    const { on, off } = imagesFound(discovered)
    const { name: chartName, repository } = chart
    const images = document.createNode(on) as YAMLSeq
    if (off.length > 0) {
      images.comment = ` Pulled only once something is switched on:\n${off.map((one) => `   - ${one}`).join('\n')}`
    }
    const group = document.createNode({
      name: chartName,
      charts: [{ name: chartName, version: chart.version, repository }],
    }) as YAMLMap
    if (on.length > 0 || off.length > 0) group.set('images', images)
    groups.add(group)
  }
  document.set('groups', groups)
  const hints = charts.flatMap(({ bound }): [string, object[]][] => {
    const list = bound.unreachable.map(({ reference, at, reason }) => ({
      reference,
      where: 'image',
      action: 'patch',
      reason: `${reason} (${at}); confirm`,
    }))
    return list.length === 0 ? [] : [[bound.chart, list]]
  })
  if (hints.length > 0) document.set('hints', document.createNode(Object.fromEntries(hints)))
  return document.toString({ lineWidth: 0 })
}

/** What a list lacks, has too much, or has in another version, compared with what the charts pull. */
export interface SpecDrift {
  readonly missing: readonly string[]
  readonly gone: readonly string[]
  readonly changed: readonly { readonly from: string; readonly to: string }[]
}

/** @param listed the images of the spec that belong to these charts, or all of them */
export function driftOf(listed: readonly SpecImage[], charts: readonly DiscoveredChart[]): SpecDrift {
  const found = charts.map(imagesFound)
  const on = new Set(found.flatMap((one) => one.on).map(canonicalText))
  const known = new Set([...on, ...found.flatMap((one) => one.off).map(canonicalText)])
  const names = listed.map((image) => canonical(nameOf(image)))
  const missing = [...on].filter((one) => !names.includes(one)).toSorted()
  const gone = names.filter((one) => !known.has(one)).toSorted()
  const changed = gone.flatMap((from) => {
    const to = missing.filter((one) => nameWithoutTag(one) === nameWithoutTag(from))
    return to.length === 1 && to[0] !== undefined ? [{ from, to: to[0] }] : []
  })
  return {
    changed,
    missing: missing.filter((one) => !changed.some(({ to }) => to === one)),
    gone: gone.filter((one) => !changed.some(({ from }) => from === one)),
  }
}

// --- internal ---

const sorted = (references: readonly string[]): readonly string[] => [...new Set(references)].toSorted()

const nameWithoutTag = (text: string): string => repositoryName(parseReference(text))

function normalised(text: string): readonly string[] {
  try {
    return [formatReference(parseReference(text))]
  } catch (error) {
    if (error instanceof Error && error.name === 'BundleError') return []
    throw error
  }
}
