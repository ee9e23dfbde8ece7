// Makes bundles: collects, plans, fetches and writes; `--since`, `--reuse`, inventories.
import { integrityError } from '../../lib/errors.ts'
import { formatPlatform, type Platform } from '../../oci/platform.ts'
import type { Mirrors } from '../../registry/mirror.ts'
import {
  bindAndProve,
  refuseMissing,
  requireProof,
  type BindOptions,
  type BoundExport,
} from './prove-charts.ts'
import {
  beyondSpec,
  collectRoots,
  DEFAULT_PLATFORMS,
  specFirst,
  type CollectOptions,
} from '../resolve/collect.ts'
import { baseImage, buildOwnImage, type OwnImage } from '../resolve/own-image.ts'
import { hubBudget, type HubBudget } from '../resolve/docker-hub-quota.ts'
import { lintRoots } from '../resolve/ecr-lint.ts'
import { diffLock, formatChange, lockOf, pinnedBy } from '../spec/lock.ts'
import type { LockedExport } from '../spec/lock-export.ts'
import type { Lock } from '../spec/lock-file.ts'
import { layOut, type Prepared } from './prepared.ts'
import type { ImporterProgram } from '../format/importer.ts'
import { contentsOf, type Absent } from '../format/contents.ts'
import type { KnownManifests } from '../resolve/image.ts'
import type { Root } from '../format/root.ts'
import { refuseSharedTags } from '../format/destinations/shared-tags.ts'
import { carriedText } from '../spec/print.ts'
import { imagesOf, selectGroups } from '../spec/spec.ts'

export interface BundleExportOptions extends BindOptions {
  /** The spec as written: it travels in the bundle. */
  readonly specText: string
  /** Optional groups to include. */
  readonly groups: readonly string[]
  /** Groups to leave out. */
  readonly without?: readonly string[]
  readonly platforms?: readonly Platform[] | 'all'
  readonly allowMissingPlatforms: boolean
  readonly mirrors: Mirrors
  readonly referrers: boolean
  /** Leave out what BuildKit attests within an index. */
  readonly dropAttestations: boolean
  /** Called with what Docker Hub will count, before it counts anything. */
  readonly onHub?: (budget: HubBudget) => void
  /** Manifests of an older bundle, which need not be asked for again. */
  readonly known?: KnownManifests
  /** Replays these digests; what has moved since is an error. */
  readonly lock?: Lock
  /** The program itself, to be carried along. */
  readonly programs?: readonly ImporterProgram[]
  /** An image of the program, to be made and carried along. */
  readonly image?: OwnImage
  /**
   * What the lock says of the export it was written by: takes the same images along, signatures too, and the bindings
   * and the proof as they are. So the same lock reproduces the bundle byte for byte, whatever helm a machine has or lacks.
   */
  readonly replay?: LockedExport
  /** Fail when a chart that is installed was not proven by rendering it. */
  readonly requireProof?: boolean
  /** Return what is needed and not listed in `missing` instead of failing: a plan reports both. */
  readonly tolerateMissing?: boolean
  /** The blobs that the other side has: the bundle leaves them out. */
  readonly since?: (roots: readonly Root[]) => Promise<readonly Absent[]>
}

/** Phase one: resolve everything and lay the archive out. Nothing is written. */
export async function prepareExport(options: BundleExportOptions): Promise<Prepared> {
  const { spec, session } = options
  const groups = selectGroups(spec, options.groups, options.without)
  const platforms = options.platforms ?? spec.platforms ?? DEFAULT_PLATFORMS
  const hub = await hubBudget(
    [...imagesOf(groups), ...(options.image === undefined ? [] : [baseImage(options.image)])],
    options.mirrors,
    platforms === 'all' ? undefined : platforms.length,
    session,
    options.known,
  )
  if (hub !== undefined) options.onHub?.(hub)
  const locked = options.lock === undefined ? undefined : pinnedBy(options.lock)
  const collecting: CollectOptions = {
    ...options,
    ...(locked === undefined ? {} : { locked }),
    ...(spec.platforms === undefined ? {} : { specPlatforms: spec.platforms }),
  }
  const { replay } = options
  const extra = replay === undefined || options.lock === undefined ? [] : beyondSpec(options.lock, groups)
  const listed = await collectRoots(
    groups,
    { ...collecting, referrers: options.referrers && replay === undefined },
    extra,
  )
  session.signal.throwIfAborted()
  const {
    bound,
    proof,
    added = [],
    missing = [],
  }: BoundExport = replay ?? (await bindAndProve(listed, options, collecting))
  if (options.tolerateMissing !== true) refuseMissing(missing)
  if (options.requireProof === true)
    requireProof(
      listed.flatMap((root) => (root.kind === 'chart' ? [root.chart] : [])),
      proof,
    )
  const own = options.image === undefined ? undefined : await buildOwnImage(options.image, collecting)
  const roots = specFirst([...listed, ...added, ...(own === undefined ? [] : [own.root])], groups)
  session.signal.throwIfAborted()
  refuseSharedTags(roots.map(contentsOf))
  const text = carriedText(options.specText, spec)
  const lock = {
    ...lockOf(spec, roots),
    export: {
      platforms: platforms === 'all' ? platforms : platforms.map(formatPlatform),
      groups: [...new Set(options.groups)].toSorted(),
      ...((options.without ?? []).length === 0 ? {} : { without: [...new Set(options.without)].toSorted() }),
      referrers: options.referrers,
      ...(options.dropAttestations ? { attestations: 'drop' as const } : {}),
      spec: text,
      bound,
      proof,
      ...(own === undefined ? {} : { image: own.locked }),
    },
  }
  if (options.lock !== undefined) checkLock(options.lock, lock, replay !== undefined)
  const { programs = [] } = options
  const absent = (await options.since?.(roots)) ?? []
  const findings = lintRoots(roots)
  for (const { name, what, remedy } of findings) {
    session.emit({ type: 'warning', message: `ECR would refuse it: ${what}`, where: name, next: remedy })
  }
  return layOut({
    spec: { ...spec, text },
    roots,
    contents: roots.map(contentsOf),
    bound,
    proof,
    missing,
    absent,
    programs,
    lock,
    findings,
    ...(hub === undefined ? {} : { hub }),
  })
}

// --- internal ---

/**
 * Everything the lock pins that is also in the bundle has to be the same there, platforms included; of a replay,
 * everything.
 */
function checkLock(wanted: Lock, found: Lock, isReplay: boolean): void {
  const changes = diffLock(wanted, found)
  const missing = changes.filter(
    ({ before, after }) => isReplay || before === undefined || after !== undefined,
  )
  if (missing.length === 0) return
  throw integrityError(
    `${missing.length} things are not as the lock has them:\n${missing.map(formatChange).join('\n')}`,
    {
      next: 'use the spec and the platforms the lock was made with, or refresh it with: ma-bundle lock',
    },
  )
}
