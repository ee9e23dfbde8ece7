import { decodeContents, encodeContents, HEAD, type Contents } from '../../src/bundle/format/contents.ts'
import { encodeSums, SUMS } from '../../src/bundle/format/sums.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { tarOf } from './tar-bytes.ts'

/** A bundle whose table says something else, with sums that are right: what somebody hostile would hand over. */
export function forged(bundle: Uint8Array, edit: (contents: Contents) => Partial<Contents>): Uint8Array {
  const files = new Map<string, Uint8Array>()
  for (let at = 0; bundle[at] !== 0;) {
    const header = Buffer.from(bundle.subarray(at, at + 512))
    const path = header.toString('utf8', 0, 100).replace(/\0.*$/s, '')
    const size = Number.parseInt(header.toString('latin1', 124, 135), 8)
    files.set(path, bundle.subarray(at + 512, at + 512 + size))
    at += 512 + Math.ceil(size / 512) * 512
  }
  const contents = decodeContents(files.get(HEAD) ?? new Uint8Array())
  files.set(HEAD, encodeContents({ ...contents, ...edit(contents) }))
  const listed = [...files]
    .filter(([path]) => path !== SUMS)
    .map(([path, content]) => [path, digestOf(content)] as const)
  files.set(SUMS, encodeSums(listed))
  return tarOf(...[...files].map(([path, content]) => ({ path, content })))
}
