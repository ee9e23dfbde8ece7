import { collect, type RandomReader } from '../lib/bytes/bytes.ts'
import { integrityError } from '../lib/errors.ts'
import { readerOf, refuseTail, truncated, type ArchiveReader } from './reader.ts'
import { BLOCK, decodeHeader, padded, type PlacedEntry } from './tar.ts'

/** Headers of any kind; what has more is no image layout. */
const MAX_HEADERS = 200_000
/** A name and some attributes; what is longer is an attack. */
const MAX_EXTENSION = 1024 * 1024

export interface ScanOptions {
  readonly maxHeaders?: number
  /**
   * Takes the links, which are refused without it.
   * @param target as written: of a hard link from the top, else from the folder of the link
   */
  readonly onLink?: (path: string, target: string, isHard: boolean) => void
  /** What may follow the last entry; `any` is for reporting what is wrong. */
  readonly tail?: 'zeros' | 'any'
}

/**
 * A tar of another tool, or a bundle that was packed again: walks its headers. Long names and sizes may come by the
 * extensions of pax and GNU tar. Devices, sparse files, traversal and doubled names are refused, links unless `onLink`
 * takes them, and so is what follows the end.
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */
export async function scanArchive(
  file: RandomReader,
  { maxHeaders = MAX_HEADERS, onLink, tail = 'zeros' }: ScanOptions = {},
): Promise<ArchiveReader> {
  const found = new Map<string, PlacedEntry>()
  let extended: Extension = {}
  let headers = 0
  let at = 0
  while (at + BLOCK <= file.size) {
    const header = decodeHeader(await collect(file.read(at, BLOCK)), 0, at)
    if (header === undefined) break
    headers += 1
    if (headers > maxHeaders) throw integrityError(`the archive has more than ${maxHeaders} entries`)
    const type: string = header.type
    const own: Extension = EXTENSIONS.has(type) ? {} : extended
    const shown = JSON.stringify((own.path ?? header.path ?? '').slice(0, 200))
    const size = own.size ?? header.size
    if (size === undefined || size < 0)
      throw integrityError(`entry ${shown} at byte ${at} has an impossible size`)
    const dataAt = at + BLOCK
    if (dataAt + size > file.size) throw truncated(file.size, dataAt + size)
    if (EXTENSIONS.has(type)) {
      if (size > MAX_EXTENSION) throw integrityError(`the extension at byte ${at} has ${size} bytes`)
      extended = { ...extended, ...read(type, await collect(file.read(dataAt, size)), at) }
    } else {
      extended = {}
      if (own.sparse === true)
        throw integrityError(`entry ${shown} is sparse; an image layout holds whole files`)
      if (FILES.has(type)) {
        const path = nameOf(own.path ?? header.path ?? '')
        if (found.has(path)) throw integrityError(`entry ${shown} appears twice`)
        found.set(path, { path, size, headerAt: at, dataAt })
      } else if (LINKS.has(type) && onLink !== undefined) {
        onLink(nameOf(own.path ?? header.path ?? ''), own.linkpath ?? header.linkpath ?? '', type === 'Link')
      } else if (type !== 'Directory') {
        throw integrityError(`entry ${shown} is of type ${type}; an image layout holds only files`)
      }
    }
    at = dataAt + padded(size)
  }
  if (tail === 'zeros') await refuseTail(file, at)
  return readerOf(file, [...found.values()])
}

// --- internal ---

/** What an extension says of the entry behind it. */
interface Extension {
  readonly path?: string
  readonly linkpath?: string
  readonly size?: number
  readonly sparse?: true
}

const FILES: ReadonlySet<string> = new Set(['File', 'OldFile', 'ContiguousFile'])
const LINKS: ReadonlySet<string> = new Set(['SymbolicLink', 'Link'])
const LONG_NAMES: ReadonlySet<string> = new Set(['NextFileHasLongPath', 'OldGnuLongPath'])
const EXTENSIONS: ReadonlySet<string> = new Set([
  'ExtendedHeader',
  'OldExtendedHeader',
  'GlobalExtendedHeader',
  'NextFileHasLongLinkpath',
  ...LONG_NAMES,
])

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

function read(type: string, content: Uint8Array, at: number): Extension {
  if (LONG_NAMES.has(type)) return { path: text(content).replace(/\0.*$/s, '') }
  if (type === 'NextFileHasLongLinkpath') return { linkpath: text(content).replace(/\0.*$/s, '') }
  const said = readRecords(content, at)
  // Readers differ on how far a global name or size reaches, so one tar could show each of them other files.
  if (type === 'GlobalExtendedHeader' && Object.keys(said).length > 0)
    throw integrityError(`the global extension at byte ${at} sets names or sizes`)
  return said
}

/** Records of `<length> <key>=<value>\n`, the length counting all of it. */
function readRecords(content: Uint8Array, at: number): Extension {
  const broken = () => integrityError(`the pax extension at byte ${at} is damaged`)
  let said: Extension = {}
  for (let start = 0; start < content.length;) {
    const digits = /^(\d{1,9}) /.exec(text(content.subarray(start, start + 10)))?.[1]
    const end = start + Number(digits)
    if (digits === undefined || end <= start + digits.length + 1 || end > content.length) throw broken()
    const [, key, value] =
      /^([^=]+)=(.*)\n$/s.exec(text(content.subarray(start + digits.length + 1, end))) ?? []
    if (key === undefined || value === undefined) throw broken()
    if (key === 'path') said = { ...said, path: value }
    if (key === 'linkpath') said = { ...said, linkpath: value }
    if (key === 'size') {
      if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value))) throw broken()
      said = { ...said, size: Number(value) }
    }
    if (key.startsWith('GNU.sparse.')) said = { ...said, sparse: true }
    start = end
  }
  return said
}

/** The path within the layout. */
function nameOf(path: string): string {
  const name = path.replace(/^(?:\.\/+)+/, '')
  if (name.startsWith('/') || name.split(/[\\/]/).includes('..') || name.includes('\0'))
    throw integrityError(`entry ${JSON.stringify(path.slice(0, 200))} points outside the archive`)
  return name
}
