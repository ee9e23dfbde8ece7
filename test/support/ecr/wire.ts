import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FaultKind } from './faults.ts'
import type { Answer, Content } from './http.ts'
import type { Entry } from './log.ts'

/** The connection is over, by the client's doing or by a fault's. */
export class ConnectionGone extends Error {
  override readonly name = 'ConnectionGone'
}

/** What a fault may do to the bytes of one request, and what is written down about them. */
export interface Wire {
  readonly entry: Entry
  readonly fault: FaultKind | undefined
  readonly stopped: AbortSignal
}

/** The request body, as far as the fault lets it through. @throws ConnectionGone */
export async function* receive(request: IncomingMessage, wire: Wire): AsyncIterable<Uint8Array> {
  const limit = limitOf(wire.fault)
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const room = limit - wire.entry.requestBytes
      const part = chunk.length >= room ? chunk.subarray(0, room) : chunk
      wire.entry.requestBytes += part.length
      if (part.length > 0) yield part
      if (chunk.length >= room) await struck(request, wire)
    }
  } catch (cause) {
    throw cause instanceof ConnectionGone ? cause : new ConnectionGone('the client went away', { cause })
  }
  if (!request.complete) throw new ConnectionGone('the client went away')
}

/** Writes an answer with its exact length, as far as the fault lets it through. @throws ConnectionGone */
export async function send(
  response: ServerResponse,
  method: string,
  answer: Answer,
  wire: Wire,
): Promise<void> {
  const { content, start, end } = sourceOf(answer.body ?? '')
  const empty = method === 'HEAD' || start === end
  const limit = limitOf(wire.fault)
  if (empty && limit !== Number.POSITIVE_INFINITY) await struck(response, wire)
  const headers = { 'content-length': String(end - start), ...answer.headers }
  response.writeHead(answer.status, Object.entries(headers).flat())
  if (empty) {
    response.end()
    return
  }
  for await (const whole of content.read(start, end)) {
    const room = limit - wire.entry.responseBytes
    const part = whole.length >= room ? whole.subarray(0, room) : whole
    const chunk =
      wire.fault?.kind === 'corrupt' ? flipped(part, wire.fault.atByte - wire.entry.responseBytes) : part
    wire.entry.responseBytes += chunk.length
    const over = whole.length >= room
    if (over) await flushed(response, chunk)
    else if (!response.write(chunk)) await next(response, 'drain')
    if (over) await struck(response, wire)
  }
  response.end()
}

// --- internal ---

const limitOf = (fault: FaultKind | undefined): number =>
  fault?.kind === 'reset' || fault?.kind === 'stall' ? fault.afterBytes : Number.POSITIVE_INFINITY

/** A stall lasts until the client gives up or the server stops. */
async function struck(stream: IncomingMessage | ServerResponse, { fault, stopped }: Wire): Promise<never> {
  if (fault?.kind === 'stall' && !stopped.aborted)
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off('close', done)
        stopped.removeEventListener('abort', done)
        resolve()
      }
      stream.on('close', done)
      stopped.addEventListener('abort', done)
    })
  throw new ConnectionGone(`scripted ${fault?.kind ?? 'end'}`)
}

const next = (response: ServerResponse, event: 'drain'): Promise<void> =>
  new Promise((resolve, reject) => {
    if (response.closed || response.destroyed) reject(new ConnectionGone('the client went away'))
    const onEvent = () => {
      response.off('close', onClose)
      resolve()
    }
    const onClose = () => {
      response.off(event, onEvent)
      reject(new ConnectionGone('the client went away'))
    }
    response.once(event, onEvent).once('close', onClose)
  })

/** Waits until the bytes have left, so that a reset does not swallow them. */
const flushed = (response: ServerResponse, chunk: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    response.once('close', resolve)
    if (chunk.length === 0) response.flushHeaders()
    response.write(chunk, () => setTimeout(resolve, 5))
  })

function sourceOf(body: NonNullable<Answer['body']>): { content: Content; start: number; end: number } {
  if (typeof body === 'object' && 'content' in body) return body
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return { content: { size: bytes.length, read: () => once(bytes) }, start: 0, end: bytes.length }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

function flipped(chunk: Uint8Array, at: number): Uint8Array {
  if (at < 0 || at >= chunk.length) return chunk
  const copy = Uint8Array.from(chunk)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
