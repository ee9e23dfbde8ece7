import { repositoryNameProblem } from '../../../aws/ecr/repository-name.ts'
import { parseEcrHost } from '../../../aws/host.ts'
import { usageError } from '../../../lib/errors.ts'
import type { Digest } from '../../../oci/digest.ts'
import { isRepository } from '../../../oci/reference.ts'
import { destinationOf, type Layout, type LandingRoot } from '../destination.ts'

const SHOWN = 25

/**
 * Whether everything has a place of its own at the destination, under a name that it takes; before the first byte.
 * @throws a usage error that names every pair that would overwrite each other, and every name that is refused
 */
export function refuseBadDestinations(
  roots: readonly (LandingRoot & { readonly name: string; readonly digest: Digest })[],
  layout: Layout,
): void {
  const isEcr = parseEcrHost(layout.registry) !== undefined
  const takers = new Map<string, { readonly name: string; readonly digest: Digest }>()
  const faults: string[] = []
  for (const root of roots) {
    const { repository, tags } = destinationOf(root, layout)
    const fault = isEcr
      ? repositoryNameProblem(repository)
      : isRepository(repository)
        ? undefined
        : `"${repository}" is no name of a repository`
    if (fault !== undefined) faults.push(`${root.name}: ${fault}`)
    for (const tag of tags) {
      const at = `${repository}:${tag}`
      const taker = takers.get(at)
      if (taker === undefined) takers.set(at, root)
      else if (taker.digest !== root.digest) faults.push(`${taker.name} and ${root.name} would both be ${at}`)
    }
  }
  if (faults.length === 0) return
  const more = faults.length > SHOWN ? [`and ${faults.length - SHOWN} more`] : []
  throw usageError(
    `${faults.length === 1 ? 'a name' : `${faults.length} names`} at the destination cannot be\n  ${[...faults.slice(0, SHOWN), ...more].join('\n  ')}`,
    { next: 'choose other names with --prefix, --map or --repository, or leave one out with --exclude' },
  )
}
