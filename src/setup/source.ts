import type { AddMissing } from '../bundle/export/prove-charts.ts'
import type { Picking } from '../bundle/spec/pick.ts'
import type { HubBudget } from '../bundle/resolve/docker-hub-quota.ts'
import { usageError } from '../lib/errors.ts'
import { parsePlatform, type Platform } from '../oci/platform.ts'
import type { Reference } from '../oci/reference.ts'
import type { Mirrors } from '../registry/mirror.ts'
import type { HelmSettings } from './helm.ts'
import type { ListSettings } from './lists.ts'

/** What to take, and where from. */
export interface SourceSettings {
  readonly lists: ListSettings
  /** Optional groups of the spec to include, and groups to leave out. */
  readonly groups: readonly string[]
  readonly without: readonly string[]
  /** Those of the spec, or linux/amd64 and linux/arm64, unless given. */
  readonly platforms?: readonly Platform[] | 'all' | undefined
  readonly allowMissingPlatforms: boolean
  readonly mirrors: Mirrors
  readonly referrers: boolean
  readonly dropAttestations: boolean
  /** A lock file; what has moved since is an error. */
  readonly lock?: string | undefined
  readonly helm: HelmSettings
  readonly addMissing: AddMissing
  /** What to take of the spec. */
  readonly pick: Picking
  readonly requireProof: boolean
}

/** An image of this program to make. */
export interface ImageWish {
  /** `linux/amd64`, sorted. */
  readonly platforms: readonly string[]
  readonly base: Reference
}

/** Something worth knowing that changes nothing. */
export type Notice =
  | { readonly type: 'no-helm' }
  /** The lock only pins digests, as these were chosen otherwise. */
  | { readonly type: 'other-than-lock'; readonly what: readonly string[] }
  /** What Docker Hub will count, before it counts anything. */
  | { readonly type: 'docker-hub'; readonly budget: HubBudget }

export type OnNotice = (notice: Notice) => void

/** Platforms as people write them, with commas or without; undefined when there are none. */
export function platformsFrom(texts: readonly string[]): readonly Platform[] | 'all' | undefined {
  const names = texts.flatMap((text) => text.split(',')).filter((text) => text !== '')
  if (names.length === 0) return undefined
  if (!names.includes('all')) return names.map(parsePlatform)
  if (names.length > 1)
    throw usageError('--platform all cannot be combined with other platforms', {
      next: 'leave the other platforms out',
    })
  return 'all'
}
