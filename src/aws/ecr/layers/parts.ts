import type { Bytes } from '../../../lib/bytes/bytes.ts'

/** A piece of a layer, ready to be sent. */
export interface LayerPart {
  /** Of its first byte in the layer. */
  readonly at: number
  readonly bytes: Uint8Array
}

const MIB = 1024 * 1024
/** All parts but the last: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html */
const MIN_PART = 5 * MIB
/** Of the API's field `layerPartBlob`. */
const MAX_PART = 20 * MIB
const USUAL_PART = 5 * MIB
const MAX_PARTS = 4200

/**
 * Bytes per part: the least that the registry takes, whatever it asks for, because each part is in memory several times
 * over (bytes, base64, what the socket holds); more only when the layer would have too many parts.
 */
export function partSizeFor(size: number, asked: number | undefined): number {
  const wanted = Math.max(Math.min(asked ?? USUAL_PART, USUAL_PART), Math.ceil(size / MAX_PARTS), MIN_PART)
  return Number.isInteger(wanted) ? Math.min(wanted, MAX_PART) : USUAL_PART
}

/**
 * Cuts content that begins at byte `from` into parts that begin at byte `at` (not before `from`); the last may be
 * shorter. Each is the consumer's, to be released.
 */
export async function* cutParts(
  content: Bytes,
  from: number,
  at: number,
  partSize: number,
): AsyncGenerator<LayerPart> {
  let part: Uint8Array | undefined
  let filled = 0
  let start = at
  let position = from
  for await (const chunk of content) {
    let rest = chunk.subarray(Math.min(Math.max(start + filled - position, 0), chunk.length))
    position += chunk.length
    while (rest.length > 0) {
      part ??= new Uint8Array(partSize)
      const taken = rest.subarray(0, partSize - filled)
      part.set(taken, filled)
      filled += taken.length
      rest = rest.subarray(taken.length)
      if (filled === partSize) {
        const bytes = part
        part = undefined
        filled = 0
        yield { at: start, bytes }
        start += partSize
      }
    }
  }
  if (part !== undefined && filled > 0) yield { at: start, bytes: part.subarray(0, filled) }
}
