import { collect } from '../lib/bytes.ts'
import { formatBytes } from '../lib/format.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { digestOf, type Digest } from '../oci/digest.ts'
import { blobsIn, walk, type GraphNode } from '../oci/graph.ts'
import { isObject, parseObject } from '../oci/manifest.ts'
import { verified } from '../oci/verify.ts'
import type { RootContents } from './contents.ts'
import { rootManifest, type Bundle } from './open.ts'
import { SUMS } from './sums.ts'

/** What an auditor wants to know of a bundle, from the bundle alone. Holds no time and no path: the same bundle, the same report. */
export interface BundleReport {
  readonly tool: string
  readonly name: string
  readonly version?: string
  /** Bytes of the tar. */
  readonly size: number
  readonly entries: number
  /** Of SHA256SUMS, which a signature is over: it names all other files by digest. */
  readonly sums?: Digest
  readonly contents: readonly ReportedRoot[]
  /** What a real helm proved of the charts' image bindings at export. */
  readonly proof: readonly unknown[]
}

export interface ReportedRoot {
  readonly kind: RootContents['kind']
  readonly name: string
  readonly digest: Digest
  /** Bytes of all below it. */
  readonly size: number
  readonly platforms?: readonly string[]
  /** Where it came from. */
  readonly source: string
  /** Licences as annotated (org.opencontainers.image.licenses); empty when nobody says. */
  readonly licences: readonly string[]
  /** What it is about, for signatures, attestations and SBOMs. */
  readonly subject?: Digest
  readonly artifactType?: string
}

export async function reportOf(bundle: Bundle, size: number, tool: string): Promise<BundleReport> {
  const { contents, archive } = bundle
  const contained: ReportedRoot[] = []
  for (const root of bundle.roots) contained.push(await reported(root, bundle))
  return {
    tool,
    name: contents?.name ?? 'OCI layout of another tool',
    ...(contents?.version === undefined ? {} : { version: contents.version }),
    size,
    entries: archive.entries.size,
    ...(archive.entries.has(SUMS) ? { sums: digestOf(await archive.readAll(SUMS)) } : {}),
    contents: contained,
    proof: contents?.proof ?? [],
  }
}

/** The report for people, as Markdown. */
export function formatReport(report: BundleReport): string {
  const { name, version, size, entries, sums, tool } = report
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    `# ${[name, version].filter(Boolean).join(' ')}`,
    '',
    `${report.contents.length} items, ${formatBytes(size)}, ${entries} files. Reported by ${tool}.`,
    ...(sums === undefined ? [] : ['', `SHA256SUMS, which names every file, has the digest \`${sums}\`.`]),
    '',
    row(['kind', 'name', 'digest', 'size', 'platforms', 'source', 'licences']),
    row(['---', '---', '---', '---:', '---', '---', '---']),
    ...report.contents.map((root) =>
      row([
        root.artifactType ?? root.kind,
        root.name,
        `\`${root.digest}\``,
        formatBytes(root.size),
        (root.platforms ?? []).join(', '),
        root.source,
        root.licences.length === 0 ? 'not annotated' : root.licences.join(', '),
      ]),
    ),
    '',
  ].join('\n')
}

// --- internal ---

const LICENCES = ['org.opencontainers.image.licenses', 'artifacthub.io/license', 'org.label-schema.license']
const CONFIG_LIMIT = 4 * 1024 * 1024

async function reported(root: RootContents, bundle: Bundle): Promise<ReportedRoot> {
  const { kind, name, digest } = root
  if (root.kind === 'file') return { kind, name, digest, size: root.size, source: 'the spec', licences: [] }
  const graph = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
  const licences = new Set<string>()
  for (const node of graph.nodes) for (const licence of await licencesOf(node, bundle)) licences.add(licence)
  const top = graph.nodes.at(-1)?.manifest
  const manifests = graph.nodes.reduce((sum, node) => sum + node.raw.length, 0)
  return {
    kind,
    name,
    digest,
    size: blobsIn(graph).reduce((sum, blob) => sum + blob.size, manifests),
    ...(root.kind === 'image' && root.platforms.length > 0 ? { platforms: root.platforms } : {}),
    source: root.kind === 'chart' && root.repository !== '' ? root.repository : name,
    licences: [...licences].toSorted(),
    ...(top?.subject === undefined ? {} : { subject: top.subject.digest }),
    ...(top?.artifactType === undefined ? {} : { artifactType: top.artifactType }),
  }
}

/** From annotations, and from the labels of the config, where `docker build` puts them. */
async function licencesOf({ manifest }: GraphNode, bundle: Bundle): Promise<readonly string[]> {
  const labels = manifest.config === undefined ? {} : await labelsOf(manifest.config, bundle)
  return LICENCES.flatMap((key) => [manifest.annotations[key], labels[key]]).filter(
    (value): value is string => typeof value === 'string' && value !== '',
  )
}

async function labelsOf(config: Descriptor, { source, archive }: Bundle): Promise<Record<string, unknown>> {
  const path = `blobs/sha256/${config.digest.slice('sha256:'.length)}`
  // A bundle that leaves out what the other side has may lack it.
  if (config.size > CONFIG_LIMIT || !archive.entries.has(path)) return {}
  const json = parseObject(await collect(verified(await source.fetch(config), config, 'bundle')))
  const inner = json?.['config']
  const labels = isObject(inner) ? inner['Labels'] : undefined
  return isObject(labels) ? labels : {}
}
