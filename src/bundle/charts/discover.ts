import { Document, YAMLMap, YAMLSeq } from 'yaml'
import { formatReference, parseReference, repositoryName } from '../../oci/reference.ts'
import { digestOf } from '../../oci/digest.ts'
import { OCI_MANIFEST } from '../../oci/media-types.ts'
import type { BoundChart, OperandKind } from '../format/bound-chart.ts'
import type { RootContents } from '../format/contents.ts'
import { coverageOf } from './judge/judge.ts'
import type { Install } from './judge/install.ts'
import { canonical, canonicalText } from '../spec/hints.ts'
import type { BundleSpec, SpecChart, SpecImage } from '../spec/spec.ts'
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
  const used = (isOn: boolean) =>
    (bound.uses ?? [])
      .filter(({ need }) => (need === 'needed') === isOn)
      .flatMap(({ reference }) => normalised(reference))
  const named = bound.unreachable.flatMap(({ reference }) => normalised(reference))
  const on = sorted([...of(true), ...named, ...used(true)])
  return { on, off: sorted([...of(false), ...used(false)]).filter((reference) => !on.includes(reference)) }
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
      images.comment = ` Pulled only once something is switched on, or an object asks for it:\n${off.map((one) => `   - ${one}`).join('\n')}`
    }
    const group = document.createNode({
      name: chartName,
      charts: [{ name: chartName, version: chart.version, repository }],
    }) as YAMLMap
    if (on.length > 0 || off.length > 0) group.set('images', images)
    const { operands = [] } = discovered.bound
    if (operands.length > 0) group.commentBefore = operandsComment(operands)
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

/**
 * Compares the images of a spec with what its charts need as they are installed, and with all that they and the spec
 * itself speak of.
 */
export function driftOf(
  listed: readonly SpecImage[],
  charts: readonly DiscoveredChart[],
  spec: BundleSpec,
  install: Install,
): SpecDrift {
  const bound = charts.map((one) => one.bound)
  const { missing: lacking, unreferenced } = coverageOf(bound, listed.map(asListed), spec, install)
  const missing = lacking
    .filter(({ need, hint }) => need === 'needed' && hint?.action !== 'ignore')
    .map(({ image }) => canonical(image))
    .toSorted()
  const gone = unreferenced.map(canonicalText).toSorted()
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

/** An image that was not looked at: only its name counts. */
const asListed = (image: SpecImage): RootContents => ({
  kind: 'image',
  name: formatReference(nameOf(image)),
  digest: nameOf(image).digest ?? digestOf(new Uint8Array()),
  size: 0,
  mediaType: OCI_MANIFEST,
  platforms: [],
})

/** What no render can show. */
const operandsComment = (operands: readonly OperandKind[]): string =>
  [
    ' In no render: what a controller runs for objects of these kinds; --objects <file> judges yours:',
    ...operands.map(({ kind, fields }) => `   ${[kind, ...fields.slice(0, 3)].join(' ')}`),
  ].join('\n')

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
