import type { Digest } from '../../oci/digest.ts'
import type { RootKind } from '../run/events.ts'
import type { LockChange } from '../spec/lock.ts'

/** What became of one thing from one bundle to the next, as somebody who approves it asks. */
export interface Change {
  readonly kind: RootKind
  /** Without version: `quay.io/team/app`, `grafana`. */
  readonly name: string
  /** `updated`: another version. `rebuilt`: the same version, other bytes. */
  readonly what: 'added' | 'removed' | 'updated' | 'rebuilt'
  /** Tags or versions; empty for a file, and on the side where it is not. */
  readonly before: string
  readonly after: string
  readonly beforeDigest?: Digest
  readonly afterDigest?: Digest
  readonly platforms: readonly string[]
}

/**
 * Puts what went and what came under the same name together: one tag of an image for another is an update, not a loss
 * and a gain. Only where each side has one; of several, nobody can say which became which.
 */
export function pairChanges(changes: readonly LockChange[]): readonly Change[] {
  const groups = Map.groupBy(changes, ({ kind, name }) => `${kind} ${splitName(name).name}`)
  return [...groups.values()].flatMap((group): Change[] => {
    const gone = group.filter(({ after }) => after === undefined)
    const come = group.filter(({ before }) => before === undefined)
    const [old, now] = [gone[0], come[0]]
    if (group.length === 2 && old !== undefined && now !== undefined) {
      const { name, version } = splitName(now.name)
      const before = splitName(old.name).version
      const digests = digestsOf(old.before, now.after)
      return [{ kind: now.kind, name, what: 'updated', before, after: version, ...digests, platforms: [] }]
    }
    return group.map(single)
  })
}

// --- internal ---

function single({ kind, name: full, before, after, platforms }: LockChange): Change {
  const { name, version } = splitName(full)
  const what = before === undefined ? 'added' : after === undefined ? 'removed' : 'rebuilt'
  return {
    kind,
    name,
    what,
    before: before === undefined ? '' : version,
    after: after === undefined ? '' : version,
    ...digestsOf(before, after),
    platforms,
  }
}

const digestsOf = (
  before: Digest | undefined,
  after: Digest | undefined,
): Pick<Change, 'beforeDigest' | 'afterDigest'> => ({
  ...(before === undefined ? {} : { beforeDigest: before }),
  ...(after === undefined ? {} : { afterDigest: after }),
})

/** `host:5000/a/b:1@sha256:…` -> `host:5000/a/b` and `1@sha256:…`. */
function splitName(full: string): { readonly name: string; readonly version: string } {
  const at = full.indexOf('@')
  const end = at < 0 ? full.length : at
  const colon = full.lastIndexOf(':', end - 1)
  const cut = colon > full.lastIndexOf('/', end) ? colon : end
  return { name: full.slice(0, cut), version: full.slice(full[cut] === ':' ? cut + 1 : cut) }
}
