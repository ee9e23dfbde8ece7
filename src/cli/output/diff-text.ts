import type { BundleDiff, Side } from '../../bundle/inspect/diff.ts'
import { formatChange, type LockChange } from '../../bundle/spec/lock.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import type { BaseFile } from '../../bundle/media/base.ts'

/** What a file that was opened without an inventory in mind is to a comparison. */
export function sideOf(file: BaseFile): Side {
  if (file.kind === 'bundle') return { bundle: file.bundle }
  if (file.kind === 'lock') return { lock: file.lock }
  throw new Error('no inventory was requested')
}

/** A comparison for programs. */
export const diffData = ({ changes, same, bytes }: BundleDiff) => ({
  added: changes.filter(isAdded),
  removed: changes.filter(isRemoved),
  changed: changes.filter(isChanged),
  same,
  ...(bytes === undefined ? {} : { new: bytes.fresh, shared: bytes.shared }),
})

/** A comparison for people: a line a change, then the sums. */
export function diffText({ changes, same, bytes }: BundleDiff): string {
  const count = (is: (change: LockChange) => boolean): number => changes.filter(is).length
  const { fresh, shared } = bytes ?? {}
  return [
    ...changes.map(formatChange),
    `${count(isAdded)} added, ${count(isRemoved)} removed, ${count(isChanged)} changed, ${same} the same.`,
    ...(fresh === undefined || shared === undefined
      ? []
      : [
          `${formatBytes(fresh.bytes)} in ${plural(fresh.count, 'blob')} are new, ` +
            `${formatBytes(shared.bytes)} in ${plural(shared.count, 'blob')} are in both.`,
        ]),
    '',
  ].join('\n')
}

// --- internal ---

const isAdded = ({ before }: LockChange): boolean => before === undefined
const isRemoved = ({ after }: LockChange): boolean => after === undefined
const isChanged = (change: LockChange): boolean => !isAdded(change) && !isRemoved(change)
