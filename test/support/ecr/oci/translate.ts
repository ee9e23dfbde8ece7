import { digestOf, type Digest } from '../../../../src/oci/digest.ts'
import type { StoredImage } from '../registry.ts'

/** A manifest as it is answered. */
export interface AnsweredManifest {
  readonly mediaType: string
  readonly digest: Digest
  readonly raw: Uint8Array
}

/**
 * What ECR answers by tag to whoever does not accept the stored type: the same image in the other format, with another
 * digest; nothing where there is no such format, as for indexes and artifacts.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
 */
export function translated(
  stored: StoredImage,
  accepts: (type: string) => boolean,
): AnsweredManifest | undefined {
  if (accepts(stored.mediaType)) return stored
  const pairs = [PAIRS, PAIRS.map(([docker, oci]) => [oci, docker] as const)].find(
    ([manifest]) => manifest?.[0] === stored.mediaType && accepts(manifest[1]),
  )
  if (pairs === undefined) return undefined
  const names = new Map(pairs)
  const text = new TextDecoder().decode(stored.raw)
  const manifest: { mediaType?: string; config: Typed; layers: Typed[] } = JSON.parse(text)
  const types = [manifest.config, ...manifest.layers].map(({ mediaType }) => names.get(mediaType))
  if (types.includes(undefined)) return undefined
  const other = (one: Typed): Typed => ({ ...one, mediaType: names.get(one.mediaType) ?? one.mediaType })
  const mediaType = names.get(stored.mediaType) ?? stored.mediaType
  const raw = Buffer.from(
    JSON.stringify({
      ...manifest,
      mediaType,
      config: other(manifest.config),
      layers: manifest.layers.map(other),
    }),
  )
  return { mediaType, digest: digestOf(raw), raw }
}

// --- internal ---

interface Typed {
  readonly mediaType: string
}

/** Docker's type and OCI's; that of the manifest first. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.oci.image.manifest.v1+json'],
  ['application/vnd.docker.container.image.v1+json', 'application/vnd.oci.image.config.v1+json'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'application/vnd.oci.image.layer.v1.tar+gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar', 'application/vnd.oci.image.layer.v1.tar'],
]
