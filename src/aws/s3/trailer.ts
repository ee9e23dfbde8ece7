import { createHash, type Hash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Bytes } from '../../lib/bytes/bytes.ts'

/** A body whose sha256 follows it, because it is not known before. */
export interface TrailedBody {
  readonly body: Readable
  /** Bytes on the wire, frames and trailer included. */
  readonly length: number
  /** Base64; once the body was read. */
  readonly sha256: () => string
}

/**
 * Content in frames, with its sha256 as a trailer that S3 compares.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 * @param size of the content, bytes
 */
export function withTrailer(content: Bytes, size: number): TrailedBody {
  const hash = createHash('sha256')
  let digest = ''
  const body = Object.assign(new Readable({ read: () => undefined }), {
    [Symbol.asyncIterator]: () => framed(content, hash, (found) => (digest = found)),
  })
  headers.set(body, {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(size),
    'x-amz-trailer': NAME,
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  })
  return { body, length: lengthOf(size), sha256: () => digest }
}

/** What a request with such a body says of it. */
export const trailerHeaders = (body: unknown): Readonly<Record<string, string>> | undefined =>
  body instanceof Readable ? headers.get(body) : undefined

// --- internal ---

const headers = new WeakMap<Readable, Readonly<Record<string, string>>>()

const NAME = 'x-amz-checksum-sha256'
const FRAME = 256 * 1024
const BREAK = '\r\n'
/** Base64 of 32 bytes. */
const DIGEST = 44

const headOf = (size: number): string => `${size.toString(16)}${BREAK}`

function lengthOf(size: number): number {
  const whole = Math.floor(size / FRAME)
  const rest = size % FRAME
  const frame = (bytes: number): number => headOf(bytes).length + bytes + BREAK.length
  const end = headOf(0).length + NAME.length + 1 + DIGEST + 2 * BREAK.length
  return whole * frame(FRAME) + (rest === 0 ? 0 : frame(rest)) + end
}

/** Each frame is a copy: the socket may hold it longer than the content lasts. */
async function* framed(
  content: Bytes,
  hash: Hash,
  onDigest: (digest: string) => void,
): AsyncGenerator<Uint8Array> {
  let frame = Buffer.allocUnsafe(FRAME)
  let filled = 0
  for await (const piece of content) {
    hash.update(piece)
    for (let done = 0; done < piece.length;) {
      const taken = piece.subarray(done, done + FRAME - filled)
      frame.set(taken, filled)
      filled += taken.length
      done += taken.length
      if (filled < FRAME) continue
      yield Buffer.concat([Buffer.from(headOf(FRAME)), frame, Buffer.from(BREAK)])
      frame = Buffer.allocUnsafe(FRAME)
      filled = 0
    }
  }
  if (filled > 0)
    yield Buffer.concat([Buffer.from(headOf(filled)), frame.subarray(0, filled), Buffer.from(BREAK)])
  const digest = hash.digest('base64')
  onDigest(digest)
  yield Buffer.from(`${headOf(0)}${NAME}:${digest}${BREAK}${BREAK}`)
}
