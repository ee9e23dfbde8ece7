import { collect, type RandomReader } from '../../lib/bytes/bytes.ts'
import { digestOf, hexOf } from '../../oci/digest.ts'

/** Bytes at either end that tell one volume from another. */
const EDGE = 4096

/** What the first and the last bytes of a range are known by. */
export async function edgesOf(
  file: RandomReader,
  start = 0,
  size = file.size,
): Promise<[first: string, last: string]> {
  const length = Math.min(EDGE, size)
  const mark = async (at: number): Promise<string> =>
    hexOf(digestOf(await collect(file.read(at, length)))).slice(0, 32)
  return [await mark(start), await mark(start + size - length)]
}
