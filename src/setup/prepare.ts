import { prepareExport, type BundleExportOptions } from '../bundle/export/export.ts'
import type { Prepared } from '../bundle/export/prepared.ts'
import type { MediumOptions } from '../bundle/media/medium.ts'
import type { Network } from '../bundle/run/network.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import type { OwnImage } from '../bundle/resolve/own-image.ts'
import type { LockedOwnImage } from '../bundle/spec/lock-export.ts'
import { mergeMirrors } from '../registry/mirror.ts'
import { pickSpec, picksAll } from '../bundle/spec/pick.ts'
import { specText } from '../bundle/spec/print.ts'
import type { BundleSpec } from '../bundle/spec/spec.ts'
import { warnOfLost } from './pick.ts'
import { findHelm } from './helm.ts'
import { readLock } from './lock-io.ts'
import { chooseSource } from './replay.ts'
import type { ProgramFinder } from './programs.ts'
import type { ImageWish, OnNotice, SourceSettings } from './source.ts'

/** What is known already when an export is prepared. */
export interface Beforehand extends Pick<
  BundleExportOptions,
  'since' | 'known' | 'programs' | 'tolerateMissing'
> {
  /** An image of this program to make; what a lock made is made again without it. */
  readonly image?: ImageWish | undefined
  readonly finder: ProgramFinder
}

/** Resolves everything that is to be taken, and lays the bundle out. Nothing is written. */
export async function prepareFrom(
  settings: SourceSettings,
  around: MediumOptions,
  network: Network,
  { since, known, programs = [], tolerateMissing = false, image, finder }: Beforehand,
  onNotice: OnNotice,
): Promise<Prepared> {
  const lock = settings.lock === undefined ? undefined : await readLock(settings.lock)
  const chosen = await chooseSource(settings, lock, around, onNotice, image)
  const { options } = chosen
  const picked = picksAll(settings.pick) ? undefined : pickSpec(chosen.spec.spec, settings.pick)
  const { spec, text } =
    picked === undefined ? chosen.spec : { spec: picked.whole, text: specText(picked.whole) }
  // A lock's own bindings and proof are of everything that was exported then.
  const replay = picked === undefined ? chosen.replay : undefined
  const opened =
    replay === undefined
      ? await findHelm(settings.helm, spec, around, () => onNotice({ type: 'no-helm' }))
      : undefined
  const own = await ownImage(image, lock?.export?.image, replay !== undefined, finder)
  const prepared = await prepareExport({
    session: network,
    spec,
    specText: text,
    ...options,
    ...(picked === undefined ? {} : groupsIn(spec, options)),
    ...opened,
    addMissing: settings.addMissing,
    tolerateMissing,
    requireProof: settings.requireProof,
    onHub: (budget) => onNotice({ type: 'docker-hub', budget }),
    ...(since === undefined ? {} : { since }),
    ...(known === undefined ? {} : { known }),
    programs,
    ...(own === undefined ? {} : { image: own }),
    ...(lock === undefined ? {} : { lock }),
    ...(replay === undefined ? {} : { replay }),
    mirrors: mergeMirrors(settings.mirrors, spec.mirrors),
  })
  if (picked !== undefined) warnOfLost(prepared.bound, picked.lost, around)
  return prepared
}

// --- internal ---

/** The image to make: the one that is wanted, or that of the lock; the lock pins the base of both. */
async function ownImage(
  wish: ImageWish | undefined,
  locked: LockedOwnImage | undefined,
  isReplay: boolean,
  finder: ProgramFinder,
): Promise<OwnImage | undefined> {
  const replayed = isReplay && locked !== undefined ? locked : undefined
  const platforms = wish?.platforms ?? replayed?.platforms
  const base = wish?.base ?? (replayed === undefined ? undefined : parseReference(replayed.base))
  if (platforms === undefined || base === undefined) return undefined
  return {
    base,
    ...(locked?.base === formatReference(base) ? { locked: locked.digest } : {}),
    programs: await finder.find(platforms, wish === undefined ? '--lock' : '--with-image'),
  }
}

/** The groups that are asked for, as far as they are among what was picked. */
function groupsIn({ groups }: BundleSpec, options: Pick<BundleExportOptions, 'groups' | 'without'>) {
  const isThere = (name: string): boolean => groups.some((group) => group.name === name)
  return { groups: options.groups.filter(isThere), without: (options.without ?? []).filter(isThere) }
}
