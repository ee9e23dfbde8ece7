import { integrityError } from '../../lib/errors.ts'
import type { RawManifest } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf, hexOf } from '../../oci/digest.ts'
import type { GraphNode } from '../../oci/graph.ts'
import { parseManifest, parseObject } from '../../oci/manifest.ts'
import { OCI_INDEX } from '../../oci/media-types.ts'
import type { ReferrersTarget } from '../run/target.ts'

/** Whether the registry lists `node` among what refers to its subject; true for a manifest without subject. */
export async function isListed(node: GraphNode, target: ReferrersTarget): Promise<boolean> {
  const { subject } = node.manifest
  if (subject === undefined) return true
  const list = await target.referrers(subject.digest)
  return list.some(({ digest }) => digest === node.descriptor.digest)
}

/**
 * Lists a pushed manifest under its subject where the registry does not do that by itself: the tag `sha256-<hex>` then
 * names an index of all that refers to it, which clients keep.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject
 */
export async function attachReferrer(node: GraphNode, target: ReferrersTarget): Promise<void> {
  const { subject } = node.manifest
  if (subject === undefined || (await isListed(node, target))) return
  const tag = `sha256-${hexOf(subject.digest)}`
  const before = (await target.head(tag)) === undefined ? [] : entriesOf(await target.resolve(tag))
  const raw = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...before, entryOf(node)] }),
  )
  const descriptor = { mediaType: OCI_INDEX, digest: digestOf(raw), size: raw.length }
  await target.pushManifest({ raw, descriptor }, tag)
}

// --- internal ---

function entriesOf(index: RawManifest): readonly unknown[] {
  const json = parseObject(index.raw)
  parseManifest(index)
  if (json === undefined || !Array.isArray(json['manifests'])) {
    throw integrityError(`the list of referrers ${index.descriptor.digest} is no index`)
  }
  return json['manifests']
}

const entryOf = ({ descriptor, manifest }: GraphNode): Descriptor => {
  const artifactType = manifest.artifactType ?? manifest.config?.mediaType
  return {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(manifest.annotations).length === 0 ? {} : { annotations: manifest.annotations }),
  }
}
