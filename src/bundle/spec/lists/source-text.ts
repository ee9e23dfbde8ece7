import { usageError } from '../../../lib/errors.ts'

/**
 * The text of a list: UTF-8, or UTF-16 as some editors and PowerShell write it.
 * @param shown how errors call the file
 * @throws a usage error for an archive, with the command that takes it, and for what is no text
 */
export function textOfList(bytes: Uint8Array, shown: string): string {
  refuseArchive(bytes, shown)
  const wide = decodeWide(bytes)
  if (wide !== undefined) return wide.replace(/^\uFEFF/, '')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const before = new TextDecoder().decode(bytes).split('\uFFFD', 1)[0] ?? ''
    const line = before.split('\n').length
    throw usageError(`${shown}:${line}: it is no UTF-8 text`, {
      cause,
      next: 'save it as UTF-8, as with iconv -f ISO-8859-1 -t UTF-8',
    })
  }
}

// --- internal ---

function refuseArchive(bytes: Uint8Array, shown: string): void {
  const starts = (...magic: number[]): boolean => magic.every((byte, at) => bytes[at] === byte)
  const what = starts(0x1f, 0x8b)
    ? 'gzip archive'
    : starts(0x50, 0x4b, 3, 4)
      ? 'zip archive'
      : starts(0x28, 0xb5, 0x2f, 0xfd)
        ? 'zstd archive'
        : new TextDecoder('latin1').decode(bytes.subarray(257, 262)) === 'ustar'
          ? 'tar archive'
          : undefined
  if (what === undefined) return
  throw usageError(`${shown} is a ${what}, not a list`, { next: takenBy(what, bytes, shown) })
}

function takenBy(what: string, bytes: Uint8Array, shown: string): string {
  if (what === 'gzip archive')
    return `give a packaged chart with --chart ${shown}; unpack anything else first`
  if (what !== 'tar archive') return 'unpack it first'
  const first = new TextDecoder('latin1').decode(bytes.subarray(0, 100)).replace(/\0[\s\S]*$/, '')
  if (first === 'bundle.json')
    return `a bundle is imported as it is: ma-bundle import ${shown} --registry <host>`
  return `take its images with docker-archive:${shown} or oci-archive:${shown} in place of --spec`
}

/** UTF-16 with its mark, or without one when every other byte of its beginning is zero. */
function decodeWide(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes
  const head = bytes.subarray(0, 64)
  const zeros = (odd: number): boolean =>
    head.length >= 4 &&
    head.every((byte, at) => at % 2 !== odd || byte === 0) &&
    head.some((byte) => byte !== 0)
  if ((first === 0xff && second === 0xfe) || zeros(1)) return new TextDecoder('utf-16le').decode(bytes)
  if ((first !== 0xfe || second !== 0xff) && !zeros(0)) return undefined
  const even = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2)))
  return new TextDecoder('utf-16le').decode(even.swap16())
}
