import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Gone, S3Failure } from './failure.ts'
import type { S3FaultKind } from './faults.ts'
import { headerOf } from './signature.ts'

export interface Received {
  readonly pieces: readonly Uint8Array[]
  readonly size: number
  readonly md5: string
  /** Base64. */
  readonly sha256: string
}

export interface ReceiveOptions {
  /** The digest of the payload as it was signed. */
  readonly payload: string
  readonly keep: boolean
  readonly fault: S3FaultKind | undefined
  readonly counted: (bytes: number) => void
  readonly stopped: AbortSignal
}

/**
 * Takes a body and checks it against all that was said of it: length, signed digest, `Content-MD5`, and the sha256 of
 * a header or a trailer. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
export async function receive(request: IncomingMessage, options: ReceiveOptions): Promise<Received> {
  const { payload } = options
  const md5 = createHash('md5')
  const sha256 = createHash('sha256')
  const pieces: Uint8Array[] = []
  let size = 0
  const take = (piece: Uint8Array): void => {
    md5.update(piece)
    sha256.update(piece)
    size += piece.length
    if (options.keep) pieces.push(Uint8Array.from(piece))
  }
  const chunked = payload.startsWith('STREAMING-')
  const decoder = chunked ? createDecoder(take) : undefined
  for await (const chunk of wire(request, options)) {
    if (decoder === undefined) take(chunk)
    else decoder.push(chunk)
  }
  const trailers = decoder?.end()
  const digest = sha256.digest()
  const found = { md5: md5.digest('hex'), hex: digest.toString('hex'), base64: digest.toString('base64') }
  const length = headerOf(request, chunked ? 'x-amz-decoded-content-length' : 'content-length')
  if (Number(length) !== size)
    throw new S3Failure(
      400,
      'IncompleteBody',
      'You did not provide the number of bytes specified by the Content-Length HTTP header',
    )
  if (/^[0-9a-f]{64}$/.test(payload) && payload !== found.hex)
    throw new S3Failure(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
  const said = trailers?.get('x-amz-checksum-sha256') ?? headerOf(request, 'x-amz-checksum-sha256')
  if (
    chunked &&
    headerOf(request, 'x-amz-trailer') !== '' &&
    trailers?.get(headerOf(request, 'x-amz-trailer')) === undefined
  )
    throw new S3Failure(
      400,
      'MalformedTrailerError',
      'The request contained trailing data that was not well-formed or did not conform to our published schema.',
    )
  if (said !== '' && said !== found.base64)
    throw new S3Failure(400, 'BadDigest', 'The SHA256 you specified did not match the calculated checksum.')
  return { pieces, size, md5: found.md5, sha256: found.base64 }
}

// --- internal ---

async function* wire(
  request: IncomingMessage,
  { fault, counted, stopped }: ReceiveOptions,
): AsyncIterable<Uint8Array> {
  let seen = 0
  for await (const chunk of arriving(request)) {
    counted(chunk.length)
    seen += chunk.length
    if (fault?.kind === 'reset' && seen >= fault.afterBytes) throw new Gone('scripted reset')
    if (fault?.kind === 'stall' && seen >= fault.afterBytes) {
      await new Promise<void>((resolve) => stopped.addEventListener('abort', () => resolve()))
      throw new Gone('stopped')
    }
    if (fault?.kind === 'corrupt' && seen > fault.atByte && seen - chunk.length <= fault.atByte) {
      const at = fault.atByte - (seen - chunk.length)
      const bad = Buffer.from(chunk)
      bad[at] = (bad[at] ?? 0) ^ 1
      yield bad
    } else yield chunk
  }
  if (!request.complete) throw new Gone('the client went away')
}

async function* arriving(request: IncomingMessage): AsyncIterable<Buffer> {
  try {
    yield* request as AsyncIterable<Buffer>
  } catch (error) {
    throw new Gone(error instanceof Error ? error.message : 'the client went away')
  }
}

/** `aws-chunked`: pieces with their lengths in hex, then the trailers. */
function createDecoder(take: (piece: Uint8Array) => void) {
  let text = Buffer.alloc(0)
  let left = 0
  let state: 'length' | 'data' | 'break' | 'trailer' = 'length'
  const malformed = (): S3Failure => new S3Failure(400, 'InvalidRequest', 'The chunked body is malformed')
  return {
    push(chunk: Uint8Array): void {
      text = Buffer.concat([text, chunk])
      for (;;) {
        if (state === 'data') {
          const piece = text.subarray(0, left)
          if (piece.length === 0) return
          take(piece)
          left -= piece.length
          text = text.subarray(piece.length)
          if (left > 0) return
          state = 'break'
        } else if (state === 'break') {
          if (text.length < 2) return
          if (text.subarray(0, 2).toString() !== '\r\n') throw malformed()
          text = text.subarray(2)
          state = 'length'
        } else if (state === 'length') {
          const end = text.indexOf('\r\n')
          if (end < 0) return
          const hex = /^([0-9a-f]+)(?:;.*)?$/i.exec(text.subarray(0, end).toString())?.[1]
          if (hex === undefined) throw malformed()
          text = text.subarray(end + 2)
          left = Number.parseInt(hex, 16)
          state = left === 0 ? 'trailer' : 'data'
        } else return
      }
    },
    end(): Map<string, string> {
      if (state !== 'trailer') throw malformed()
      return new Map(
        text
          .toString()
          .split('\r\n')
          .filter((line) => line !== '')
          .map((line) => [
            line.slice(0, line.indexOf(':')).toLowerCase(),
            line.slice(line.indexOf(':') + 1).trim(),
          ]),
      )
    },
  }
}
