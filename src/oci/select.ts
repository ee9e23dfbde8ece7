import { BundleError } from '../lib/errors.ts'
import type { RawManifest } from './content.ts'
import type { Descriptor } from './descriptor.ts'
import { digestOf, type Digest } from './digest.ts'
import { isObject, parseIndex, parseObject } from './manifest.ts'
import { formatPlatform, isUnknownPlatform, matchesPlatform, type Platform } from './platform.ts'

/** The index cut down to what is wanted and there. */
export interface Selection {
  readonly index: RawManifest
  /** The entries that it keeps. */
  readonly kept: readonly Descriptor[]
  /** Wanted platforms that it does not have; of `all`, none. */
  readonly missing: readonly Platform[]
  readonly offered: readonly Platform[]
}

export interface SelectOptions {
  /** What nested indexes offer, which name no platform themselves. */
  readonly below?: readonly Platform[]
  /** Entries that the registry lost, as if the index did not list them. */
  readonly lost?: ReadonlySet<Digest>
  /** Leave out what BuildKit attests. */
  readonly dropAttestations?: boolean
}

/** BuildKit's link from an attestation to the image it is about: https://docs.docker.com/build/metadata/attestations/attestation-storage/ */
const ATTESTS = 'vnd.docker.reference.digest'
const ATTESTATION = 'attestation-manifest'

/**
 * Keeps the children that run on a wanted platform and the attestations about them. When nothing is dropped the
 * index stays byte for byte; otherwise it is a new index with a new digest, whose children keep theirs.
 * Children that name no platform (artifacts, nested indexes) are kept; entries that cannot be carried are not.
 */
export function selectPlatforms(
  index: RawManifest,
  wanted: readonly Platform[] | 'all',
  where?: string,
  { below = [], lost = new Set(), dropAttestations = false }: SelectOptions = {},
): Selection {
  const { children, odd } = parseIndex(index, where)
  const there = children.filter((child) => !lost.has(child.digest))
  const keep = new Set<Digest>()
  for (const child of there) {
    if (!isAttestation(child) && isWanted(child, wanted)) keep.add(child.digest)
  }
  for (const child of dropAttestations ? [] : there.filter(isAttestation)) {
    const about = child.annotations?.[ATTESTS]
    if (about === undefined ? keep.size > 0 : keep.has(about as Digest)) keep.add(child.digest)
  }
  const offered = [...platformsIn(there), ...below]
  const kept = there.filter((child) => keep.has(child.digest))
  // An index of artifacts names no platforms at all, so it lacks none.
  const named = [...platformsIn([...children, ...odd]), ...below]
  const isMissing = (platform: Platform): boolean =>
    named.length > 0 && !offered.some((offer) => matchesPlatform(platform, offer))
  return {
    index: kept.length === children.length + odd.length ? index : rewrite(index, keep),
    kept,
    missing: wanted === 'all' ? [] : wanted.filter(isMissing),
    offered,
  }
}

/** Whether an entry of an index says something about another, and is nothing to run. */
export const isAttestation = ({ platform, annotations }: Descriptor): boolean =>
  isUnknownPlatform(platform) || annotations?.['vnd.docker.reference.type'] === ATTESTATION

/** The platforms that entries of an index name. */
export const platformsIn = (children: readonly { readonly platform?: Platform }[]): readonly Platform[] =>
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

const isWanted = ({ platform }: Descriptor, wanted: readonly Platform[] | 'all'): boolean => {
  if (wanted === 'all' || platform === undefined) return true
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
