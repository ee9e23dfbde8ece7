import type { LoadedSpec } from '../bundle/spec/bundled.ts'
import type { BundleExportOptions } from '../bundle/export/export.ts'
import type { LockedExport } from '../bundle/spec/lock-export.ts'
import type { Lock } from '../bundle/spec/lock-file.ts'
import { carriedText } from '../bundle/spec/print.ts'
import { parseSpec } from '../bundle/spec/spec.ts'
import { formatPlatform, parsePlatform } from '../oci/platform.ts'
import { formatReference } from '../oci/reference.ts'
import type { MediumOptions } from '../bundle/media/medium.ts'
import { loadSpecs, saysWhat } from './lists.ts'
import type { ImageWish, OnNotice, SourceSettings } from './source.ts'

/** What an export takes: from its settings, or from its lock. */
export interface ChosenSource {
  readonly spec: LoadedSpec
  readonly options: Pick<
    BundleExportOptions,
    'groups' | 'without' | 'platforms' | 'allowMissingPlatforms' | 'referrers' | 'dropAttestations'
  >
  /** Undefined when the settings ask for something else than the lock was made with; it then only pins digests. */
  readonly replay?: LockedExport
}

/** The spec and the choices. Those of a lock count where the settings say nothing else. */
export async function chooseSource(
  settings: SourceSettings,
  lock: Lock | undefined,
  around: MediumOptions,
  onNotice: OnNotice,
  image?: ImageWish,
): Promise<ChosenSource> {
  const made = lock?.export
  const { lists } = settings
  if (lock === undefined || made === undefined) return asGiven(settings, await loadSpecs(lists, around))
  const given = saysWhat(lists) ? await loadSpecs(lists, around) : undefined
  const other = [
    ...differences(settings, made, given && carriedText(given.text, given.spec)),
    ...(image === undefined || isSameImage(image, made.image) ? [] : ['image']),
  ]
  if (other.length > 0) {
    onNotice({ type: 'other-than-lock', what: other })
    return asGiven(settings, given ?? (await loadSpecs(lists, around)))
  }
  const fileName = `${lock.name}.yaml`
  return {
    spec: given ?? { spec: parseSpec(made.spec, fileName), text: made.spec, fileName },
    options: {
      groups: made.groups,
      ...(made.without === undefined ? {} : { without: made.without }),
      platforms: made.platforms === 'all' ? 'all' : made.platforms.map((name) => parsePlatform(name)),
      // What was there then is compared with the lock, platform by platform.
      allowMissingPlatforms: true,
      referrers: made.referrers,
      dropAttestations: made.attestations === 'drop',
    },
    replay: made,
  }
}

// --- internal ---

function asGiven(settings: SourceSettings, spec: LoadedSpec): ChosenSource {
  const { groups, without, platforms, allowMissingPlatforms, referrers, dropAttestations } = settings
  return {
    spec,
    options: {
      groups,
      without,
      ...(platforms === undefined ? {} : { platforms }),
      allowMissingPlatforms,
      referrers,
      dropAttestations,
    },
  }
}

/** What the settings say otherwise than the lock; a setting that was not given says nothing. */
function differences(
  { groups, without, platforms, referrers, dropAttestations, helm }: SourceSettings,
  made: LockedExport,
  specText: string | undefined,
): readonly string[] {
  const { values, consumerValues, consumerFiles, objects, apiVersions, kubeVersion } = helm
  const named = platforms === 'all' || platforms === undefined ? platforms : platforms.map(formatPlatform)
  const rendering =
    values.length + consumerValues.length + consumerFiles.length + apiVersions.length > 0 ||
    kubeVersion !== undefined
  return [
    ...(specText === undefined || specText === made.spec ? [] : ['spec']),
    ...(isSaid(groups, made.groups) && isSaid(without, made.without ?? []) ? [] : ['groups']),
    ...(named === undefined || isSame([named].flat(), [made.platforms].flat()) ? [] : ['platforms']),
    ...(referrers && !made.referrers ? ['referrers'] : []),
    ...(dropAttestations && made.attestations !== 'drop' ? ['attestations'] : []),
    ...(rendering ? ['values'] : []),
    ...(objects.length > 0 ? ['objects'] : []),
  ]
}

const isSameImage = ({ platforms, base }: ImageWish, made: LockedExport['image']): boolean =>
  made !== undefined && made.base === formatReference(base) && isSame(platforms, made.platforms)

/** A list that was not given says nothing. */
const isSaid = (given: readonly string[], made: readonly string[]): boolean =>
  given.length === 0 || isSame(given, made)

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  new Set(one).size === new Set(other).size && one.every((text) => other.includes(text))
