import { BundleError } from '../lib/errors.ts'
import type { RawManifest } from './content.ts'
import type { Descriptor } from './descriptor.ts'
import { digestOf, type Digest } from './digest.ts'
import { isObject, parseManifest, parseObject } from './manifest.ts'
import { formatPlatform, isUnknownPlatform, matchesPlatform, type Platform } from './platform.ts'

/** The index cut down to the wanted platforms, and which of them it does not have. */
export interface Selection {
  readonly index: RawManifest
  readonly missing: readonly Platform[]
  readonly offered: readonly Platform[]
}

/** BuildKit's link from an attestation to the image it is about: https://docs.docker.com/build/metadata/attestations/attestation-storage/ */
const ATTESTS = 'vnd.docker.reference.digest'

/**
 * Keeps the children that run on a wanted platform and the attestations about them. When nothing is dropped the
 * index stays byte for byte; otherwise it is a new index with a new digest, whose children keep theirs.
 * Children that name no platform (artifacts, nested indexes) are kept.
 * @param below what such nested indexes offer
 * @throws when nothing would be left
 */
export function selectPlatforms(
  index: RawManifest,
  wanted: readonly Platform[],
  where?: string,
  below: readonly Platform[] = [],
): Selection {
  const children = parseManifest(index, where).manifests
  const keep = new Set<Digest>()
  for (const child of children) {
    if (!isUnknownPlatform(child.platform) && isWanted(child, wanted)) keep.add(child.digest)
  }
  for (const child of children) {
    if (!isUnknownPlatform(child.platform)) continue
    const about = child.annotations?.[ATTESTS]
    if (about === undefined ? keep.size > 0 : keep.has(about as Digest)) keep.add(child.digest)
  }
  const offered = [...platformsIn(children), ...below]
  const missing = wanted.filter((platform) => !offered.some((offer) => matchesPlatform(platform, offer)))
  if (offered.length > 0 && missing.length === wanted.length) throw lacks(missing, offered, where)
  const kept = children.filter((child) => keep.has(child.digest))
  return {
    index: kept.length === children.length ? index : rewrite(index, keep),
    missing: offered.length === 0 ? [] : missing,
    offered,
  }
}

/** The platforms that entries of an index name. */
export const platformsIn = (children: readonly Descriptor[]): readonly Platform[] =>
  children.flatMap(({ platform }) =>
    platform === undefined || isUnknownPlatform(platform) ? [] : [platform],
  )

/** The error for an image that does not come for a wanted platform. */
export const lacks = (
  missing: readonly Platform[],
  offered: readonly Platform[],
  where?: string,
): BundleError =>
  new BundleError(
    `no image for ${missing.map(formatPlatform).join(', ')}; it comes for ${[...new Set(offered.map(formatPlatform))].join(', ')}`,
    {
      kind: 'failed',
      ...(where === undefined ? {} : { where }),
      next: 'ask for other platforms (--platform), allow it (--allow-missing-platform), or set platforms for this image in the spec',
    },
  )

// --- internal ---

const isWanted = (child: Descriptor, wanted: readonly Platform[]): boolean => {
  const { platform } = child
  if (platform === undefined) return true
  return wanted.some((one) => matchesPlatform(one, platform))
}

function rewrite(index: RawManifest, keep: ReadonlySet<string>): RawManifest {
  const json = parseObject(index.raw)
  if (json === undefined || !Array.isArray(json['manifests'])) return index
  const children: unknown[] = json['manifests']
  const kept = children.filter((child) => isObject(child) && keep.has(String(child['digest'])))
  const raw = new TextEncoder().encode(JSON.stringify({ ...json, manifests: kept }))
  return { raw, descriptor: { ...index.descriptor, digest: digestOf(raw), size: raw.length } }
}
