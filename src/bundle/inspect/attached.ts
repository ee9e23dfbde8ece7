import { isDigest, type Digest } from '../../oci/digest.ts'
import type { Graph } from '../../oci/graph.ts'

/** A signature, attestation or SBOM that a bundle carries. It is carried as it is; whether it holds is not checked here. */
export interface Attached {
  /** What it is about: an index, an image, or another of these. */
  readonly about: Digest
  /** The image that is, or belongs to, what it is about; absent when the bundle lacks it. */
  readonly of?: string
  /** `signature`, `attestation`, `sbom` (cosign’s tags, BuildKit), else its artifact type. */
  readonly type: string
  readonly name: string
  readonly digest: Digest
}

/** What one root says of others, and what others may say something of. */
export interface Attachments {
  readonly name: string
  readonly digests: readonly Digest[]
  readonly found: readonly Omit<Attached, 'of'>[]
}

/**
 * What is about something else: by cosign's tags, by `subject`
 * (https://github.com/opencontainers/image-spec/blob/main/manifest.md), and the attestations that BuildKit puts into the
 * index (https://docs.docker.com/build/metadata/attestations/attestation-storage/).
 */
export const attachmentsOf = (name: string, { nodes }: Graph): Attachments => ({
  name,
  digests: nodes.map(({ descriptor }) => descriptor.digest),
  found: [...referring(name, nodes), ...withinIndex(name, nodes)],
})

/** All of a bundle, each with the image it belongs to. Sorted. */
export function attachedOf(roots: readonly Attachments[]): readonly Attached[] {
  const owners = new Map<Digest, string>()
  for (const { name, digests } of roots)
    for (const digest of digests) if (!owners.has(digest)) owners.set(digest, name)
  return roots
    .flatMap(({ found }) => found)
    .map((one) => ({ ...one, ...ownerOf(one.about, owners) }))
    .toSorted(
      (a, b) => compare(a.of ?? '', b.of ?? '') || compare(a.name, b.name) || compare(a.digest, b.digest),
    )
}

// --- internal ---

type Found = Omit<Attached, 'of'>

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const ownerOf = (about: Digest, owners: ReadonlyMap<Digest, string>): { readonly of?: string } => {
  const of = owners.get(about)
  return of === undefined ? {} : { of }
}

/** https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md */
const COSIGN = /:sha256-([0-9a-f]{64})\.(sig|att|sbom)$/
const COSIGN_TYPES: Readonly<Record<string, string>> = { sig: 'signature', att: 'attestation', sbom: 'sbom' }

function referring(name: string, nodes: Graph['nodes']): readonly Found[] {
  const top = nodes.at(-1)
  if (top === undefined) return []
  const { digest } = top.descriptor
  const [, hex = '', kind = ''] = COSIGN.exec(name) ?? []
  const tagged = `sha256:${hex}`
  if (isDigest(tagged)) return [{ about: tagged, type: COSIGN_TYPES[kind] ?? kind, name, digest }]
  const { subject, artifactType, config } = top.manifest
  if (subject === undefined) return []
  return [
    {
      about: subject.digest,
      type: artifactType ?? config?.mediaType ?? top.descriptor.mediaType,
      name,
      digest,
    },
  ]
}

const withinIndex = (name: string, nodes: Graph['nodes']): readonly Found[] =>
  nodes.flatMap(({ manifest }) =>
    manifest.manifests.flatMap(({ digest, annotations = {} }): Found[] => {
      const about = annotations['vnd.docker.reference.digest']
      if (annotations['vnd.docker.reference.type'] !== 'attestation-manifest' || !isDigest(about)) return []
      return [{ about, type: 'attestation', name, digest }]
    }),
  )
