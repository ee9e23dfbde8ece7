import type { LoadedSpec } from '../../bundle/spec/bundled.ts'
import type { ExportOptions } from '../../bundle/export/export.ts'
import type { LockedExport } from '../../bundle/spec/lock-export.ts'
import type { Lock } from '../../bundle/spec/lock-file.ts'
import { parseSpec } from '../../bundle/spec/spec.ts'
import { formatPlatform, parsePlatform, type Platform } from '../../oci/platform.ts'
import type { HelmArgs } from './helm.ts'
import type { Args } from '../args/flags.ts'
import type { Session } from '../session.ts'
import { loadGiven, platformsFrom, saysWhat, type sourceArgs } from './source.ts'

/** What an export takes: from its flags, or from its lock. */
export interface Asked {
  readonly spec: LoadedSpec
  readonly options: Pick<
    ExportOptions,
    'groups' | 'without' | 'platforms' | 'allowMissingPlatforms' | 'referrers' | 'dropAttestations'
  >
  /** Undefined when flags ask for something else than the lock was made with; it then only pins digests. */
  readonly replay?: LockedExport
}

/**
 * The spec and the choices. Those of a lock count where no flag says something else.
 * @param images references that stand beside the flags
 */
export async function askedFor(
  args: Args<typeof sourceArgs> & HelmArgs,
  lock: Lock | undefined,
  session: Session,
  images: readonly string[] = [],
): Promise<Asked> {
  const made = lock?.export
  const platforms = platformsFrom(args.platform)
  if (lock === undefined || made === undefined) {
    return asFlagsSay(args, platforms, await loadGiven(args, session, images))
  }
  const given = saysWhat(args, images) ? await loadGiven(args, session, images) : undefined
  const other = differences(args, platforms, made, given?.text)
  if (other.length > 0) {
    session.note(
      `Other ${other.join(', ')} than the lock was made with: it pins the digests, but the bundle will have other bytes.\n`,
    )
    return asFlagsSay(args, platforms, given ?? (await loadGiven(args, session, images)))
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

function asFlagsSay(
  args: Args<typeof sourceArgs>,
  platforms: readonly Platform[] | 'all' | undefined,
  spec: LoadedSpec,
): Asked {
  return {
    spec,
    options: {
      groups: args.with,
      without: args.without,
      ...(platforms === undefined ? {} : { platforms }),
      allowMissingPlatforms: args.allowMissingPlatform,
      referrers: args.referrers,
      dropAttestations: args.attestations === 'drop',
    },
  }
}

/** Which flags say something else than the lock; a flag that was not given says nothing. */
function differences(
  args: Args<typeof sourceArgs> & HelmArgs,
  platforms: readonly Platform[] | 'all' | undefined,
  made: LockedExport,
  specText: string | undefined,
): readonly string[] {
  const { values, consumerValues, apiVersions, kubeVersion } = args
  const named = platforms === 'all' || platforms === undefined ? platforms : platforms.map(formatPlatform)
  const rendering = [...values, ...consumerValues, ...apiVersions].length > 0 || kubeVersion !== undefined
  return [
    ...(specText === undefined || specText === made.spec ? [] : ['spec']),
    ...(isSaid(args.with, made.groups) && isSaid(args.without, made.without ?? []) ? [] : ['groups']),
    ...(named === undefined || isSame([named].flat(), [made.platforms].flat()) ? [] : ['platforms']),
    ...(args.referrers && !made.referrers ? ['referrers'] : []),
    ...(args.attestations === 'drop' && made.attestations !== 'drop' ? ['attestations'] : []),
    ...(rendering ? ['values'] : []),
  ]
}

/** A flag that was not given says nothing. */
const isSaid = (given: readonly string[], made: readonly string[]): boolean =>
  given.length === 0 || isSame(given, made)

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  new Set(one).size === new Set(other).size && one.every((text) => other.includes(text))
