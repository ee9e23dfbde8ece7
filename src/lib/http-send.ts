import type { ClientRequest } from 'node:http'
import { bytesOf } from './bytes.ts'
import { integrityError, type BundleError } from './errors.ts'
import type { HttpRequest, SizedBody } from './http-message.ts'
import type { Watchdog } from './watchdog.ts'

/** A body in one shape. */
export function sized(body: HttpRequest['body']): SizedBody | undefined {
  if (!(body instanceof Uint8Array)) return body
  return {
    size: body.length,
    open: async () => bytesOf(body),
  }
}

/** Writes the body at the pace of the connection; stops early when an answer is there before its end. */
export async function sendBody(
  sent: ClientRequest,
  body: SizedBody,
  stopped: () => boolean,
  watchdog: Watchdog,
  stallMs: number,
  progress: { written: number },
): Promise<void> {
  let wake: () => void = () => undefined
  const woken = (): void => wake()
  sent.on('drain', woken)
  sent.on('close', woken)
  sent.on('response', woken)
  watchdog.rest()
  for await (const chunk of await body.open()) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      if (stopped()) return
      const piece = chunk.length <= PIECE ? chunk : chunk.subarray(at, at + PIECE)
      progress.written += piece.length
      if (progress.written > body.size) throw wrongLength(body.size, progress.written)
      if (sent.write(piece)) continue
      watchdog.wait()
      await new Promise<void>((resolve) => {
        wake = resolve
        if (stopped() || sent.destroyed) resolve()
      })
      if (!stopped()) watchdog.rest()
    }
  }
  if (stopped()) return
  if (progress.written !== body.size) throw wrongLength(body.size, progress.written)
  watchdog.wait(body.size > SMALL ? stallMs * COMMIT_PATIENCE : stallMs)
  sent.end()
}

// --- internal ---

/** Small pieces let the watchdog see progress on slow lines; they are views, not copies. */
const PIECE = 128 * 1024
/** After the last byte a registry may still hash and copy gigabytes before it answers. */
const COMMIT_PATIENCE = 10
/** A body so small that its answer is not waited for any longer than others. */
const SMALL = 64 * 1024

const wrongLength = (size: number, found: number): BundleError =>
  integrityError(
    `content to be sent has ${found > size ? 'more than' : 'only'} ${found > size ? size : found} of ${size} bytes`,
  )
