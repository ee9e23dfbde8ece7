import type { Repair } from '../../bundle/import/compare.ts'
import { usageError } from '../../lib/errors.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

/** Flags that make an import look below what is there already. */
export const repairArgs = {
  repair: {
    type: 'boolean',
    description:
      'Look below what is there already, and push what the registry lost: a request for each manifest and blob',
  },
  deep: {
    type: 'boolean',
    description: 'With --repair: read every blob there, and replace those with wrong bytes',
  },
} as const satisfies ArgsDef

/**
 * Healthy registries keep what they have, so each root costs one request unless somebody wants to look below it.
 * @throws a usage error
 */
export function repairOf({ repair, deep }: Args<typeof repairArgs>): Repair {
  if (deep && !repair) throw usageError('--deep goes with --repair', { next: 'add --repair' })
  if (!repair) return 'none'
  return deep ? 'wrong' : 'missing'
}
