import type { Ecr } from '../../aws/ecr/client.ts'
import { canChange, changeSettings } from '../../aws/ecr/settings/apply.ts'
import { compareSettings, isMissingPolicy, type ComparedRepository } from '../../aws/ecr/settings/compare.ts'
import type { Difference } from '../../aws/ecr/settings/differences.ts'
import type { RepositorySettings } from '../../aws/ecr/settings/repository-settings.ts'
import { plural } from '../../lib/format.ts'
import type { Emit } from '../../lib/events.ts'
import type { BundleEvent } from '../run/events.ts'

export interface SettingsOptions {
  readonly ecr: Ecr
  readonly settings: RepositorySettings
  /** Change what differs, instead of reporting it only. */
  readonly apply: boolean
  readonly emit: Emit<BundleEvent>
}

/** The repositories of an import as far as their settings go. */
export interface SettledRepositories {
  /** Whether it is known to exist. */
  has(name: string): boolean
  /**
   * Sets up a repository that an earlier run made and did not come to finish.
   * @throws an auth error when that is refused again
   */
  finish(name: string): Promise<void>
}

/**
 * Compares every repository with the settings asked for, also where nothing is to be pushed. All differences are listed
 * before the first is changed.
 */
export async function settleSettings(
  names: readonly string[],
  { ecr, settings, apply, emit }: SettingsOptions,
): Promise<SettledRepositories> {
  const compared = await compareSettings(ecr, names, settings)
  const differing = [...compared].flatMap(([name, { differences, isUnfinished }]) =>
    differences
      .filter((difference) => !(isUnfinished && isMissingPolicy(difference)))
      .map((difference) => ({ name, difference })),
  )
  const groups = Map.groupBy(differing, ({ difference: { setting, found, wanted } }) =>
    JSON.stringify([setting, found, wanted]),
  )
  for (const group of groups.values()) emit(warningOf(group, apply))
  if (apply) {
    for (const one of compared.values())
      await changeSettings(ecr, one, settings, shownOf(one).filter(canChange))
  }
  return {
    has: (name) => compared.has(name),
    async finish(name) {
      const one = compared.get(name)
      if (one?.isUnfinished !== true) return
      await changeSettings(ecr, one, settings, one.differences.filter(isMissingPolicy))
    },
  }
}

// --- internal ---

const shownOf = ({ differences, isUnfinished }: ComparedRepository): readonly Difference[] =>
  differences.filter((difference) => !(isUnfinished && isMissingPolicy(difference)))

/** One for all repositories that differ alike. */
function warningOf(
  group: readonly { readonly name: string; readonly difference: Difference }[],
  apply: boolean,
): BundleEvent {
  const [first] = group
  if (first === undefined) throw new Error('a group has a member')
  const { difference } = first
  const { setting, found, wanted } = difference
  const [verb, next] = !canChange(difference)
    ? ['it cannot be changed', 'where that matters, delete the repository and import again']
    : apply
      ? [`it is changed now`, undefined]
      : ['it is left alone', 'to change it, run the same command with --apply-settings']
  return {
    type: 'warning',
    message: `${plural(group.length, 'repository exists', 'repositories exist')} with another ${setting}: ${found} instead of ${wanted}; ${verb}`,
    where: group.map(({ name }) => name).join(', '),
    ...(next === undefined ? {} : { next }),
  }
}
