import { collect } from '../../lib/bytes/bytes.ts'
import { integrityError } from '../../lib/errors.ts'
import { decodedBody, isEncoded } from '../../lib/http/encoding.ts'
import type { HttpResponse } from '../../lib/http/client.ts'

export interface BodyLimit {
  /** Bytes, after what a cache compressed on the way is unfolded again. */
  readonly most: number
  /** The message for more: `the manifest is larger than the 4 MiB a registry takes`. */
  readonly refusal: string
  readonly where: string
}

/**
 * The whole body of an answer, in memory. Half of one says something else than the whole, so it is never cut.
 * @throws an integrity error for a body that is longer
 */
export async function readBody(
  response: HttpResponse,
  { most, refusal, where }: BodyLimit,
): Promise<Uint8Array> {
  let size = 0
  const bounded = async function* () {
    // A cache that compresses JSON does so for everybody.
    for await (const chunk of isEncoded(response) ? decodedBody(response, where) : response.body) {
      size += chunk.length
      if (size > most) throw integrityError(refusal, { where })
      yield chunk
    }
  }
  return collect(bounded())
}
