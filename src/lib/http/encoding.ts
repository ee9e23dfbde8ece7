import { Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { Bytes } from '../bytes/bytes.ts'
import { integrityError, messageOf } from '../errors.ts'
import type { HttpResponse } from './message.ts'

/** Whether the body was compressed on its way, although nothing of the kind was asked for. */
export function isEncoded({ headers }: HttpResponse): boolean {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? ''
  return encoding !== '' && encoding !== 'identity'
}

/**
 * The body without its content encoding. The reader bounds what it takes: a few bytes may unfold into gigabytes.
 * @throws an integrity error for an encoding nobody asked for and we do not know, or for a body that is not of it
 */
export async function* decodedBody(response: HttpResponse, where: string): Bytes {
  const encoding = response.headers.get('content-encoding')?.trim().toLowerCase() ?? ''
  const create = DECODERS[encoding]
  if (create === undefined) {
    await response.discard()
    throw integrityError(`the answer has the content encoding "${encoding}", which was not requested`, {
      where,
    })
  }
  const decoder = create()
  let failure: Error | undefined
  const source = Readable.from(response.body)
  source.on('error', (error) => {
    failure = error
    decoder.destroy(error)
  })
  try {
    for await (const chunk of source.pipe(decoder)) yield chunk as Uint8Array
  } catch (error) {
    // The network's failures stay what they are; they may be tried again.
    if (failure !== undefined) throw failure
    throw integrityError(`the answer is not of its content encoding "${encoding}": ${messageOf(error)}`, {
      where,
    })
  } finally {
    source.destroy()
  }
}

// --- internal ---

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}
