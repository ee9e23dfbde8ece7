import { integrityError, messageOf } from '../../lib/errors.ts'
import { isRepository, isTag, parseReference } from '../../oci/reference.ts'
import type { RootContents } from './contents.ts'
import { chartTag } from './destination.ts'

/**
 * Names of roots become repositories, tags and file names, so those of a bundle from outside are checked before
 * anything is made of them.
 * @throws an integrity error for a name that no export writes
 */
export function checkRootNames(roots: readonly RootContents[], where: string): void {
  const seen = new Set<string>()
  for (const root of roots) {
    const fail = (why: string) =>
      integrityError(
        `${where} lists ${root.kind === 'image' ? 'an' : 'a'} ${root.kind} that cannot be: ${why}`,
        {
          next: 'this is nothing that "ma-bundle export" writes; ask where the file comes from',
        },
      )
    const key = `${root.kind} ${root.name}`
    if (seen.has(key)) throw fail(`${JSON.stringify(root.name.slice(0, 200))} appears twice`)
    seen.add(key)
    if (root.kind === 'image') checkReference(root.name, fail)
    if (root.kind !== 'file' && root.chart !== undefined) {
      if (!isRepository(root.chart) && !CHART.test(root.chart))
        throw fail(`its name is ${JSON.stringify(root.chart.slice(0, 200))}`)
    }
    if (root.kind === 'chart') {
      if (!isTag(chartTag(root.version)))
        throw fail(`its version is ${JSON.stringify(root.version.slice(0, 200))}`)
    }
  }
}

// --- internal ---

/** Helm takes upper case too, which registries then refuse in their own words. */
const CHART = /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?$/

function checkReference(name: string, fail: (why: string) => Error): void {
  try {
    parseReference(name)
  } catch (error) {
    throw fail(messageOf(error))
  }
}
