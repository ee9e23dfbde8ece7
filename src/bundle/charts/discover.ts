import { Document, YAMLMap, YAMLSeq } from 'yaml'
import { yamlText } from '../../lib/text/yaml.ts'
import type { ImageUse } from '../../helm/values/binding.ts'
import { formatReference, parseReference, repositoryName } from '../../oci/reference.ts'
import { digestOf } from '../../oci/digest.ts'
import { OCI_MANIFEST } from '../../oci/media-types.ts'
import type { BoundChart, OperandKind } from '../format/charts/bound-chart.ts'
import type { RootContents } from '../format/contents.ts'
import { coverageOf } from './judge/judge.ts'
import type { Install } from './judge/install.ts'
import { canonical, canonicalText } from '../spec/hints.ts'
import { groupText } from '../spec/print.ts'
import type { BundleSpec, SpecChart, SpecGroup, SpecImage } from '../spec/spec.ts'
import { nameOf } from '../spec/spec.ts'

/** A chart as listed, and what rendering it showed. */
export interface DiscoveredChart {
  readonly chart: SpecChart
  readonly bound: BoundChart
}

/** The images a chart pulls as it is installed, those it would once something is switched on, and what is open. */
export function imagesFound({ bound }: DiscoveredChart): {
  readonly on: readonly string[]
  readonly off: readonly string[]
  readonly unknown: readonly ImageUse[]
} {
  const uses = bound.uses ?? staticUses(bound)
  const of = (need: ImageUse['need']): readonly string[] =>
    sorted(uses.flatMap((use) => (use.need === need ? normalised(use.reference) : [])))
  const on = of('needed')
  const off = of('on-demand').filter((one) => !on.includes(one))
  const unknown = uses.filter(
    ({ need, reference }) => need === 'unknown' && !on.includes(reference) && !off.includes(reference),
  )
  return { on, off, unknown }
}

/**
 * A spec of the charts and all that they pull; what only a person can confirm stands in comments and hints.
 * @param more groups that need no chart
 */
export function discoveredSpec(
  name: string,
  version: string,
  charts: readonly DiscoveredChart[],
  more: readonly SpecGroup[] = [],
): string {
  const document = new Document({ apiVersion: 'ma-bundle/v1', kind: 'BundleSpec', name, version })
  const groups = new YAMLSeq()
  for (const discovered of charts) {
    const { chart } = discovered
    const { on, off, unknown } = imagesFound(discovered)
    const { name: chartName, repository } = chart
    const images = document.createNode(on) as YAMLSeq
    const comments = [
      ...listed('Pulled only once something is switched on, or an object asks for it:', off),
      ...listed(
        'Unknown, because no render decides it:',
        unknown.map(({ reference, at, when = '' }) => `${reference}  (${at}: ${when})`),
      ),
    ]
    if (comments.length > 0) images.comment = comments.join('\n')
    const group = document.createNode({
      name: chartName,
      charts: [{ name: chartName, version: chart.version, repository }],
    }) as YAMLMap
    if (on.length > 0 || comments.length > 0) group.set('images', images)
    const { operands = [] } = discovered.bound
    if (operands.length > 0) group.commentBefore = operandsComment(operands)
    groups.add(group)
  }
  for (const group of more) groups.add(document.createNode(groupText(group)))
  document.set('groups', groups)
  const hints = charts.flatMap(({ bound }): [string, object[]][] => {
    const lost = bound.notLanded.map(({ reference, path, reason }) => ({ reference, at: path, reason }))
    const list = [...bound.unreachable, ...lost].map(({ reference, at, reason }) => ({
      reference,
      where: 'image',
      action: 'patch',
      reason: `${reason} (${at}); confirm`,
    }))
    return list.length === 0 ? [] : [[bound.chart, list]]
  })
  if (hints.length > 0) document.set('hints', document.createNode(Object.fromEntries(hints)))
  return yamlText(document)
}

/** The same without what only a person can confirm. */
export const foundGroups = (charts: readonly DiscoveredChart[]): readonly SpecGroup[] =>
  charts.map((one) => ({
    name: one.chart.name,
    optional: false,
    charts: [one.chart],
    images: imagesFound(one).on.map((text) => ({
      reference: parseReference(text),
      allowMissingPlatforms: false,
    })),
    files: [],
  }))

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
const listed = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [` ${title}`, ...[...new Set(lines)].map((one) => `   - ${one}`)]

/** Without a helm: what the names of keys suggest. */
const staticUses = ({ bindings, unreachable }: BoundChart): readonly ImageUse[] => [
  ...bindings.flatMap(({ references, at, stem }) =>
    references.map((reference): ImageUse => ({
      reference,
      at: at[0] ?? '',
      need: stem === true ? 'unknown' : 'needed',
    })),
  ),
  ...unreachable.map(({ reference, at }): ImageUse => ({ reference, at, need: 'needed' })),
]

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
