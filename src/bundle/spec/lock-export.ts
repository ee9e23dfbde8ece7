import { isNode, isScalar } from 'yaml'
import { BundleError } from '../../lib/errors.ts'
import { jsonText } from '../../lib/text/visible.ts'
import type { BoundChart } from '../format/charts/bound-chart.ts'
import { decodeBoundCharts } from '../format/charts/bound-chart-json.ts'
import { decodeProofs, type ChartProof } from '../format/charts/chart-proof.ts'
import { fields, items, nodeOf, problem, type YamlNode } from './yaml-reader.ts'
import { parseDigest, type Digest } from '../../oci/digest.ts'
import { parseReference } from '../../oci/reference.ts'
import { flag, parsed, text } from './yaml-values.ts'

/**
 * What was chosen for an export and what helm found: all that bundle.json holds besides digests. With it a lock reproduces
 * them on a machine that has no spec, no helm, or another one.
 */
export interface LockedExport {
  /** Names of platforms, or `all`. */
  readonly platforms: readonly string[] | 'all'
  /** Optional groups that were included, sorted. */
  readonly groups: readonly string[]
  /** Groups that were left out, sorted. */
  readonly without?: readonly string[]
  readonly referrers: boolean
  /** Absent where they are kept. */
  readonly attestations?: 'drop'
  /** The text of the spec. */
  readonly spec: string
  readonly bound: readonly BoundChart[]
  readonly proof: readonly ChartProof[]
  /** The image of this program that was made for the bundle. */
  readonly image?: LockedOwnImage
}

/** What an image of this program was made of; the image's own digest pins the programs. */
export interface LockedOwnImage {
  /** Its name in the bundle. */
  readonly name: string
  /** The reference of its base, and what that stood for. */
  readonly base: string
  readonly digest: Digest
  /** `linux/amd64`, sorted. */
  readonly platforms: readonly string[]
}

/** The block as it stands in the file: the spec a line a line, a chart a line, so that a diff can be read. */
export function encodeLockedExport({
  platforms,
  groups,
  without = [],
  referrers,
  attestations,
  spec,
  bound,
  proof,
  image,
}: LockedExport): string {
  const list = (values: readonly unknown[]): string =>
    values.length === 0 ? '[]' : `[\n${values.map((value) => `      ${jsonText(value)}`).join(',\n')}\n    ]`
  return [
    '{',
    `    "platforms": ${jsonText(platforms)},`,
    `    "groups": ${jsonText(groups)},`,
    ...(without.length === 0 ? [] : [`    "without": ${jsonText(without)},`]),
    `    "referrers": ${referrers},`,
    ...(attestations === undefined ? [] : [`    "attestations": "${attestations}",`]),
    ...(image === undefined ? [] : [`    "image": ${JSON.stringify(image)},`]),
    `    "spec": ${list(spec.split('\n'))},`,
    `    "bound": ${list(bound)},`,
    `    "proof": ${list(proof)}`,
    '  }',
  ].join('\n')
}

/** Notes what is wrong as `decodeLock` does. */
export function readLockedExport(place: YamlNode): LockedExport | undefined {
  const block = fields(place, [
    'platforms',
    'groups',
    'without',
    'referrers',
    'attestations',
    'image',
    'spec',
    'bound',
    'proof',
  ])
  const platforms = platformsAt(block?.need('platforms'))
  const groups = items(block?.need('groups'), 'groups').flatMap((item) => text(item, 'a group') ?? [])
  const without = items(block?.get('without'), 'groups').flatMap((item) => text(item, 'a group') ?? [])
  const referrers = flag(block?.need('referrers'))
  const spec = linesOf(block?.need('spec'))
  const bound = decoded(block?.need('bound'), decodeBoundCharts)
  const proof = decoded(block?.need('proof'), decodeProofs)
  if (platforms === undefined || referrers === undefined || bound === undefined || proof === undefined)
    return undefined
  const image = ownImageAt(block?.get('image'))
  const isDropped = block?.get('attestations') !== undefined
  return {
    platforms,
    groups,
    ...(without.length === 0 ? {} : { without }),
    referrers,
    ...(isDropped ? { attestations: 'drop' as const } : {}),
    spec,
    bound,
    proof,
    ...(image === undefined ? {} : { image }),
  }
}

// --- internal ---

function ownImageAt(place: YamlNode | undefined): LockedOwnImage | undefined {
  if (place === undefined) return undefined
  const block = fields(place, ['name', 'base', 'digest', 'platforms'])
  const name = text(block?.need('name'), 'an image reference')
  const base = parsed(block?.need('base'), 'an image reference', (written) => {
    parseReference(written)
    return written
  })
  const digest = parsed(block?.need('digest'), 'sha256: and 64 hex digits', (written) => parseDigest(written))
  const platforms = items(block?.need('platforms'), 'platforms').flatMap(
    (item) => text(item, 'a platform') ?? [],
  )
  if (name === undefined || base === undefined || digest === undefined) return undefined
  return { name, base, digest, platforms }
}

function platformsAt(place: YamlNode | undefined): LockedExport['platforms'] | undefined {
  if (place === undefined) return undefined
  const node = nodeOf(place)
  if (isScalar(node) && node.value === 'all') return 'all'
  return items(place, 'platforms').flatMap((item) => text(item, 'a platform') ?? [])
}

/** Lines may be empty, which no other text of a lock may. */
function linesOf(place: YamlNode | undefined): string {
  const lines = items(place, 'lines of the spec').map((item) => {
    const node = nodeOf(item)
    if (isScalar(node) && typeof node.value === 'string') return node.value
    problem(item, 'found something else, expected a line of text')
    return ''
  })
  return lines.join('\n')
}

/** What bundle.json holds too is read by the same decoders. */
function decoded<T>(place: YamlNode | undefined, decode: (value: unknown) => T): T | undefined {
  if (place === undefined) return undefined
  const node = nodeOf(place)
  try {
    return decode(isNode(node) ? node.toJS(place.file.document, { maxAliasCount: 0 }) : node)
  } catch (error) {
    if (error instanceof BundleError || error instanceof ReferenceError) return problem(place, error.message)
    throw error
  }
}
