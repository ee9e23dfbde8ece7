import { basename } from 'node:path'
import type { Bytes, FilePart, RandomReader } from '../../lib/bytes/bytes.ts'
import { BundleError, codeOf, integrityError } from '../../lib/errors.ts'
import { whyUnreadable } from '../../lib/file-errors.ts'
import { openFile } from '../../lib/bytes/file.ts'

/**
 * Volumes as one random reader, wherever each lies. Whatever touches a volume that cannot be read fails before its
 * first byte. A file is open only while it is read: there may be more volumes than files that may be open.
 */
export function joinVolumes(parts: readonly FilePart[]): RandomReader {
  const last = parts.at(-1)
  const size = last === undefined ? 0 : last.offset + last.size
  return {
    size,
    parts,
    read: (start, length) => readParts(parts, size, start, length),
    close: () => Promise.resolve(),
  }
}

/** The volumes that hold these bytes. */
export const partsAt = <P extends FilePart>(
  parts: readonly P[],
  start: number,
  length: number,
): readonly P[] =>
  parts.filter(({ offset, size }) => offset < start + Math.max(length, 1) && offset + size > start)

/** `a`, `a and b`, `a, b and c`; three and more in a row are `a to c`. */
export function nameParts(parts: readonly FilePart[]): string {
  const names = runsOf(parts).flatMap((run) => {
    const own = run.map(({ name }) => name)
    return own.length < 3 ? own : [`${own[0]} to ${own.at(-1)}`]
  })
  const last = names.pop() ?? ''
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`
}

/**
 * What to say of volumes that are needed and cannot be read.
 * @param together all that are needed at once
 */
export function unreadable(parts: readonly FilePart[], together: readonly FilePart[] = []): BundleError {
  const [first] = parts
  const alike = parts.every(({ fault }) => fault === first?.fault)
  const isMissing = alike && first?.fault === MISSING
  const said = alike
    ? `${nameParts(parts)} ${parts.length > 1 && isMissing ? 'are missing' : (first?.fault ?? '')}`
    : parts.map(({ name, fault }) => `${name} ${fault}`).join('; ')
  const next = isMissing
    ? 'put what is missing next to the others or name its folder with --volumes <folder>, and run the same command again'
    : `copy it again from where it was whole, or make it again: ma-bundle export … --only-volume ${numberOf(first?.name ?? '')}`
  const where = together.length > 1 ? { where: `content in ${nameParts(together)}, needed at once` } : {}
  return new BundleError(said, { kind: isMissing ? 'failed' : 'integrity', ...where, next })
}

export const MISSING = 'is missing'

// --- internal ---

/** Those that follow each other. */
function runsOf(parts: readonly FilePart[]): readonly FilePart[][] {
  const runs: FilePart[][] = []
  for (const part of parts) {
    const run = runs.at(-1)
    const before = run?.at(-1)
    if (run !== undefined && before !== undefined && before.offset + before.size === part.offset)
      run.push(part)
    else runs.push([part])
  }
  return runs
}

const numberOf = (name: string): number => Number(/\.(\d+)$/.exec(name)?.[1] ?? 1)

async function* readParts(parts: readonly FilePart[], size: number, start: number, length: number): Bytes {
  const end = start + length
  if (end > size) throw integrityError(`the volumes end at byte ${size}, before the ${end} they should have`)
  if (length === 0) return
  const touched = partsAt(parts, start, length)
  const lacking = touched.filter(({ fault, path }) => fault !== undefined || path === undefined)
  if (lacking.length > 0) throw unreadable(lacking, touched)
  for (const part of touched) {
    const from = Math.max(start, part.offset)
    yield* readPart(part, from - part.offset, Math.min(end, part.offset + part.size) - from)
  }
}

async function* readPart({ path = '', name }: FilePart, start: number, length: number): Bytes {
  try {
    const file = await openFile(path, name)
    try {
      yield* file.read(start, length)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof BundleError || codeOf(error) === undefined) throw error
    throw new BundleError(`${basename(name)} cannot be read: ${whyUnreadable(error)}`, {
      kind: 'failed',
      next: 'see whether its medium is still there, and run the same command again',
      cause: error,
    })
  }
}
