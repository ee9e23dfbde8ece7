import { usageError } from '../../../lib/errors.ts'
import { parseReference, repositoryName } from '../../../oci/reference.ts'
import type { RootContents } from '../contents.ts'

/**
 * A tag at the destination can stand for one image only. `x:1` and `x:1@sha256:…` both want the tag `1`, and unless
 * they are the same image, whichever is pushed last would have it.
 * @throws a usage error that names both
 */
export function refuseSharedTags(roots: readonly RootContents[]): void {
  const takers = new Map<string, RootContents>()
  for (const root of roots) {
    if (root.kind !== 'image') continue
    const reference = parseReference(root.name)
    if (reference.tag === undefined) continue
    const tag = `${repositoryName(reference)}:${reference.tag}`
    const taker = takers.get(tag)
    if (taker === undefined) takers.set(tag, root)
    else if (taker.digest !== root.digest) {
      throw usageError(
        `${taker.name} and ${root.name} are different images that both want the tag ${reference.tag}: ${taker.digest} and ${root.digest}`,
        {
          where: tag,
          next: 'leave one out, or write the pinned one without its tag; an index cut down to platforms differs from the whole one',
        },
      )
    }
  }
}
