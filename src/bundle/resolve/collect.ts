// From a spec to digests: images, charts, files and referrers, resolved before any layer is fetched.
import { createOnce, type Once } from '../../lib/once.ts'
import { createPool } from '../../lib/pool.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Platform } from '../../oci/platform.ts'
import { formatReference, parseReference, repositoryName } from '../../oci/reference.ts'
import type { Mirrors } from '../../registry/mirror.ts'
import type { RootKind } from '../run/events.ts'
import { commonCause } from '../run/common-cause.ts'
import { FailuresError, settleAll } from '../run/failures.ts'
import type { Lock } from '../spec/lock-file.ts'
import { resolveChart } from './chart.ts'
import { resolveFile } from './file.ts'
import { ociRepositories } from './oci-chart.ts'
import type { Wanted } from './choose-children.ts'
import { resolveImage, resolveImageFile, type KnownManifests } from './image.ts'
import { createMirrorLog, type MirrorLog } from './mirrored.ts'
import { resolveReferrers } from './referrers.ts'
import { digestOfRoot, type Root } from '../format/root.ts'
import type { Network } from '../run/network.ts'
import {
  imagesOf,
  nameOf,
  type SpecChart,
  type SpecFile,
  type SpecGroup,
  type SpecImage,
} from '../spec/spec.ts'

export interface CollectOptions {
  readonly session: Network
  /** From the command line; absent, the spec's own, else what EKS runs. */
  readonly platforms?: readonly Platform[] | 'all'
  readonly specPlatforms?: readonly Platform[]
  readonly allowMissingPlatforms: boolean
  readonly mirrors: Mirrors
  /** Take signatures, attestations and SBOMs along. */
  readonly referrers: boolean
  /** Leave out what BuildKit attests within an index. */
  readonly dropAttestations: boolean
  /** Digests that the lock pins, by kind and name. */
  readonly locked?: (kind: RootKind, name: string) => Digest | undefined
  /** Manifests that are here already. */
  readonly known?: KnownManifests
}

/** What EKS nodes are. */
export const DEFAULT_PLATFORMS: readonly Platform[] = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64' },
]

/** Manifests are small: latency rules, not bandwidth. */
const RESOLVE_CONCURRENCY = 16

/**
 * Resolves everything the groups list, at once. In the order of the spec: images, charts, files.
 * @param beyond further images, from `beyondSpec`
 * @throws FailuresError with all that could not be fetched, after everything was tried
 */
export async function collectRoots(
  groups: readonly SpecGroup[],
  options: CollectOptions,
  beyond: readonly SpecImage[] = [],
): Promise<readonly Root[]> {
  const { session } = options
  const items = [...itemsOf(groups), ...beyond.map(imageItem)]
  session.emit({ type: 'phase', phase: 'resolve', items: items.length, bytes: 0 })
  const pool = createPool(RESOLVE_CONCURRENCY)
  const shared: Shared = { indexes: createOnce<string>(), log: createMirrorLog(session.emit) }
  const { values, failures } = await settleAll(
    items,
    (item) =>
      pool.run(async () => {
        session.signal.throwIfAborted()
        const root = await resolve(item, options, shared)
        const more =
          options.referrers && root.kind !== 'file' && !isLocal(item)
            ? await resolveReferrers(root, { ...options, log: shared.log })
            : []
        const { kind, name } = item
        session.emit({
          type: 'root',
          phase: 'resolve',
          kind,
          name,
          outcome: 'resolved',
          digest: digestOfRoot(root),
        })
        return [root, ...more]
      }),
    ({ kind, name }) => ({ kind, name }),
  )
  session.signal.throwIfAborted()
  shared.log.report()
  if (failures.length > 0) {
    for (const { kind, name } of failures)
      session.emit({ type: 'root', phase: 'resolve', kind, name, outcome: 'failed' })
    const cause = failures.length === items.length ? commonCause(failures) : undefined
    if (cause !== undefined) throw new FailuresError(cause.message, failures, cause.next, true)
    throw new FailuresError(
      `${failures.length} of ${items.length} images, charts and files could not be fetched; nothing was written`,
      failures,
      'fix or leave out what is listed, then run the same command again',
    )
  }
  return unique(values.flat().map((root) => besideChart(root, groups)))
}

/**
 * The images that a lock pins and the groups do not list: what `--referrers` and `--add-missing` found when it was
 * written; an image of this program is made, not fetched. Those that were taken whole are asked for by digest, because a tag of signatures grows.
 */
export function beyondSpec(
  { images, export: made }: Pick<Lock, 'images' | 'export'>,
  groups: readonly SpecGroup[],
): readonly SpecImage[] {
  const listed = new Set(imagesOf(groups).map((image) => formatReference(nameOf(image))))
  return images
    .filter(({ name }) => !listed.has(name) && name !== made?.image?.name)
    .map(({ name, digest, bundled }): SpecImage => {
      const as = parseReference(name)
      return { reference: bundled === undefined ? { ...as, digest } : as, as, allowMissingPlatforms: true }
    })
}

/** What the spec lists in its order, then all other images by name: who found them, and when, must not show. */
export function specFirst(roots: readonly Root[], groups: readonly SpecGroup[]): readonly Root[] {
  const listed = new Set(imagesOf(groups).map((image) => formatReference(nameOf(image))))
  const isListed = ({ kind, name }: Root): boolean => kind !== 'image' || listed.has(name)
  const others = roots.filter((root) => !isListed(root)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return [...roots.filter(isListed), ...others]
}

// --- internal ---

/** What the items of a run learn for each other: indexes of chart repositories, mirrors that are down or lack things. */
interface Shared {
  readonly indexes: Once<string>
  readonly log: MirrorLog
}

type Item =
  | { readonly kind: 'image'; readonly name: string; readonly image: SpecImage }
  | { readonly kind: 'chart'; readonly name: string; readonly chart: SpecChart }
  | { readonly kind: 'file'; readonly name: string; readonly file: SpecFile }

/** Images of one repository may share a referrer. */
const unique = (roots: readonly Root[]): readonly Root[] => [
  ...new Map(roots.map((root) => [`${root.kind} ${root.name}`, root])).values(),
]

/** What a lock lists of a chart's repository besides the spec signs or describes the chart: it stays beside it. */
function besideChart(root: Root, groups: readonly SpecGroup[]): Root {
  if (root.kind !== 'image' || root.chart !== undefined) return root
  const { tag = '', digest, ...reference } = parseReference(root.name)
  if (digest === undefined && !/^sha256-[0-9a-f]{64}\b/.test(tag)) return root
  const listed = imagesOf(groups).some((image) => formatReference(nameOf(image)) === root.name)
  const own = repositoryName(reference)
  const chart = groups
    .flatMap(({ charts }) => charts)
    .find((one) => ociRepositories(one)?.some((place) => repositoryName(parseReference(place)) === own))
  return chart === undefined || listed ? root : { ...root, chart: chart.name }
}

/** What lies on this machine has no registry that could know of signatures. */
const isLocal = (item: Item): boolean => item.kind === 'image' && item.image.file !== undefined

const imageItem = (image: SpecImage): Item => ({
  kind: 'image',
  name: formatReference(nameOf(image)),
  image,
})

function itemsOf(groups: readonly SpecGroup[]): readonly Item[] {
  const charts = new Map(
    groups.flatMap((group) => group.charts).map((chart) => [`${chart.name}:${chart.version}`, chart]),
  )
  const files = new Map(groups.flatMap((group) => group.files).map((file) => [file.name, file]))
  return [
    ...imagesOf(groups).map(imageItem),
    ...[...charts].map(([name, chart]): Item => ({ kind: 'chart', name, chart })),
    ...[...files].map(([name, file]): Item => ({ kind: 'file', name, file })),
  ]
}

async function resolve(item: Item, options: CollectOptions, shared: Shared): Promise<Root> {
  const { session, mirrors, locked } = options
  const pin = locked?.(item.kind, item.name)
  const common = { session, mirrors, ...(pin === undefined ? {} : { locked: pin }) }
  if (item.kind === 'chart') return resolveChart(item.chart, { ...common, ...shared })
  if (item.kind === 'file') return resolveFile(item.file, { ...common, log: shared.log })
  const { file } = item.image
  if (file !== undefined) return resolveImageFile(file, item.name, wantedOf(item.image, options), common)
  return resolveImage(item.image.reference, item.name, wantedOf(item.image, options), {
    ...common,
    ...shared,
    ...(options.known === undefined ? {} : { known: options.known }),
  })
}

function wantedOf(image: SpecImage, options: CollectOptions): Wanted {
  const explicit = image.platforms ?? options.platforms
  return {
    platforms: explicit ?? options.specPlatforms ?? DEFAULT_PLATFORMS,
    explicit: explicit !== undefined,
    allowMissing: options.allowMissingPlatforms || image.allowMissingPlatforms,
    dropAttestations: options.dropAttestations,
  }
}
