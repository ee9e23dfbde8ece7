// Looks at bundles: sizes, contents, changes, reports for approvers.
import { collect } from '../../lib/bytes/bytes.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { blobsIn, walk, type Graph, type GraphNode } from '../../oci/graph.ts'
import { isObject, parseObject } from '../../oci/manifest.ts'
import { verified } from '../../oci/verify.ts'
import type { ChartContents, ImageContents, RootContents } from '../format/contents.ts'
import { rootManifest, type Bundle } from '../format/open.ts'
import { holds } from '../charts/proof.ts'
import type { ChartProof } from '../format/charts/chart-proof.ts'
import type { CheckedSignature } from '../media/trust.ts'
import { attachedOf, attachmentsOf, type Attached, type Attachments } from './attached.ts'

/**
 * What an auditor wants to know of a bundle, from the bundle alone. Holds no time and no path: the same bundle and the
 * same version of the program, the same report. Later versions may add keys; a change of meaning changes `format`.
 */
export interface BundleReport {
  readonly format: typeof REPORT_FORMAT
  /** What made the report: `ma-bundle 1.2.3`. */
  readonly tool: string
  readonly name: string
  readonly version?: string
  /** Bytes of the tar. */
  readonly size: number
  readonly entries: number
  /** Of SHA256SUMS, which a signature is over: it names all other files by digest. */
  readonly sums?: Digest
  /** Whose signature over it was found right when the report was made. */
  readonly signedBy?: Omit<CheckedSignature, 'key'>
  readonly contents: readonly ReportedRoot[]
  /** Blobs that the bundle needs and leaves out, because the destination has them: `export --since`. */
  readonly absent: { readonly count: number; readonly bytes: number }
  /** Signatures, attestations and SBOMs that the bundle includes. */
  readonly attached: readonly Attached[]
  /**
   * `holds`: a real helm showed at export that every image reference of every chart is bound. `open`: some are not, or a
   * chart did not render. `none`: no helm was there, or there is no chart.
   */
  readonly verdict: 'holds' | 'open' | 'none'
  /** What a real helm showed of each chart, as in bundle.json. */
  readonly proof: readonly ChartProof[]
  /** Charts of which nothing is known: no helm rendered them, and nobody has measured them. */
  readonly unjudged: readonly string[]
}

export const REPORT_FORMAT = 'ma-bundle-report/1'

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

/** @param signed what was checked of its signature */
export async function reportOf(
  bundle: Bundle,
  size: number,
  tool: string,
  signed?: CheckedSignature,
): Promise<BundleReport> {
  const { contents, archive } = bundle
  const contained: ReportedRoot[] = []
  const opened: Attachments[] = []
  for (const root of bundle.roots) {
    if (root.kind === 'file') {
      const { kind, name, digest, size: bytes } = root
      contained.push({ kind, name, digest, size: bytes, source: 'the spec', licences: [] })
      continue
    }
    const graph = await walk(bundle.source, await rootManifest(bundle, root), 'bundle')
    const attachments = attachmentsOf(root.name, graph)
    contained.push(await reported(root, graph, attachments, bundle))
    opened.push(attachments)
  }
  const absent = contents?.absent ?? []
  const proof = contents?.proof ?? []
  return {
    format: REPORT_FORMAT,
    tool,
    name: contents?.name ?? 'OCI layout of another tool',
    ...(contents?.version === undefined ? {} : { version: contents.version }),
    size,
    entries: archive.entries.size,
    ...(bundle.sums === undefined ? {} : { sums: digestOf(bundle.sums) }),
    ...(signed === undefined ? {} : { signedBy: withoutFile(signed) }),
    absent: { count: absent.length, bytes: absent.reduce((sum, blob) => sum + blob.size, 0) },
    contents: contained,
    attached: attachedOf(opened),
    verdict: proof.length === 0 ? 'none' : holds(proof) ? 'holds' : 'open',
    proof,
    unjudged: bundle.roots.flatMap((root) =>
      root.kind === 'chart' && !proof.some(({ chart }) => chart === root.chart) ? [root.chart] : [],
    ),
  }
}

// --- internal ---

/** The name of a file is another one on every machine. */
const withoutFile = ({ fingerprint, algorithm, covers }: CheckedSignature) => ({
  fingerprint,
  algorithm,
  covers,
})

const LICENCES = ['org.opencontainers.image.licenses', 'artifacthub.io/license', 'org.label-schema.license']
const CONFIG_LIMIT = 4 * 1024 * 1024

async function reported(
  root: ImageContents | ChartContents,
  graph: Graph,
  { found }: Attachments,
  bundle: Bundle,
): Promise<ReportedRoot> {
  const { kind, name, digest } = root
  const licences = new Set<string>()
  for (const node of graph.nodes) for (const licence of await licencesOf(node, bundle)) licences.add(licence)
  const subject = found.find((one) => one.digest === digest)?.about
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
    ...(subject === undefined ? {} : { subject }),
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
