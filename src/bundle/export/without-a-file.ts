import type { ArchiveReader } from '../../archive/reader.ts'
import { place } from '../../archive/tar.ts'
import { bytesOf, collect, type Bytes } from '../../lib/bytes/bytes.ts'
import { integrityError } from '../../lib/errors.ts'
import { decodeContents } from '../format/contents.ts'
import { sourceOf, type Bundle } from '../format/open.ts'
import type { Plan } from '../format/plan.ts'
import { continued } from './sources.ts'

/**
 * A bundle that is nowhere: what is small is in memory, and everything else comes from its source the moment it is
 * read. So an import can push what an export would have written, without a file between them.
 */
export function bundleOfPlan(plan: Plan): Bundle {
  const archive = archiveOf(plan)
  const contents = decodeContents(plan.head)
  return {
    contents,
    roots: contents.roots,
    archive,
    source: sourceOf(archive),
    own: true,
    content: (path) => archive.readAll(path),
  }
}

// --- internal ---

function archiveOf(plan: Plan): ArchiveReader {
  const transfers = new Map(plan.transfers.map((transfer) => [transfer.path, transfer]))
  const read = async function* (path: string, start = 0): Bytes {
    const ready = plan.ready.get(path)
    const transfer = transfers.get(path)
    if (ready !== undefined) yield* bytesOf(ready, start)
    else if (transfer !== undefined) yield* continued(transfer, start)
    else throw integrityError(`"${path}" is not in the plan`)
  }
  return {
    entries: new Map(place(plan.entries).entries.map((entry) => [entry.path, entry])),
    read,
    readAll: (path) => collect(read(path)),
  }
}
