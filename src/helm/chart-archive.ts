import { gunzipSync } from 'node:zlib'
import { Parser } from 'tar'
import { messageOf } from '../lib/errors.ts'

/** Regular files of a packed chart by their path below its top folder. */
export type ChartFiles = ReadonlyMap<string, Uint8Array>

/** The error for a chart that cannot be read. */
export type ArchiveFault = (why: string, cause?: unknown) => Error

/** What may still be unpacked; archives inside of an archive share it. */
export interface ArchiveBudget {
  bytes: number
  files: number
}

export const archiveBudget = (): ArchiveBudget => ({ bytes: UNPACKED_LIMIT, files: FILES_LIMIT })

/**
 * Reads a chart as `helm package` packs it. Nothing touches the disk. Links, paths that point outside, and what unpacks
 * to more than 256 MiB or 20,000 files are refused. Of two files of one path the last counts, as it does for helm.
 * @param isWanted which files are kept
 * @throws what `fault` makes
 */
export function readChartArchive(
  tgz: Uint8Array,
  fault: ArchiveFault,
  budget: ArchiveBudget = archiveBudget(),
  isWanted: (path: string) => boolean = () => true,
): ChartFiles {
  const tar = unzip(tgz, fault, budget)
  budget.bytes -= tar.length
  const files = new Map<string, Uint8Array>()
  let failure: Error | undefined
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      budget.files -= 1
      failure ??= entryFault(entry.path, entry.type, fault)
      if (budget.files < 0) failure ??= fault(`it holds more than ${FILES_LIMIT} files`)
      const [, path = ''] = /^(?:\.\/)?[^/]+\/(.+)$/.exec(entry.path) ?? []
      if (failure !== undefined || entry.type === 'Directory' || path === '' || !isWanted(path)) {
        entry.resume()
        return
      }
      const chunks: Uint8Array[] = []
      entry.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      entry.on('end', () => files.set(path, Buffer.concat(chunks)))
    },
  })
  parser.on('error', (cause: unknown) => {
    failure ??= fault(`the tar inside is damaged: ${messageOf(cause)}`, cause)
  })
  // Given a whole tar, the parser does all its work before end() returns.
  parser.end(Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength))
  if (failure !== undefined) throw failure
  return files
}

// --- internal ---

const UNPACKED_LIMIT = 256 * 1024 * 1024
const FILES_LIMIT = 20_000

function unzip(tgz: Uint8Array, fault: ArchiveFault, { bytes }: ArchiveBudget): Uint8Array {
  if (tgz[0] !== 0x1f || tgz[1] !== 0x8b) throw fault('it is not a gzip archive')
  try {
    return gunzipSync(tgz, { maxOutputLength: Math.max(1, bytes) })
  } catch (cause) {
    const tooLarge = cause instanceof RangeError
    throw fault(tooLarge ? `it unpacks to more than ${UNPACKED_LIMIT} bytes` : 'its gzip is damaged', cause)
  }
}

/** Extensions of tar never reach the reader as entries. */
const PLAIN: ReadonlySet<string> = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory'])

function entryFault(path: string, type: string, fault: ArchiveFault): Error | undefined {
  const shown = JSON.stringify(path.slice(0, 200))
  if (type === 'SymbolicLink' || type === 'Link') return fault(`${shown} is a link`)
  if (!PLAIN.has(type)) return fault(`${shown} is not a file but a ${type}`)
  if (path.startsWith('/') || path.includes('\\') || path.split('/').includes('..'))
    return fault(`${shown} points outside of it`)
  return undefined
}
