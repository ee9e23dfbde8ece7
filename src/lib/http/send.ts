import type { ClientRequest } from 'node:http'
import { PIECE, release } from '../bytes/buffers.ts'
import { bytesOf } from '../bytes/bytes.ts'
import { integrityError, type BundleError } from '../errors.ts'
import type { HttpRequest, SizedBody } from './message.ts'
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
  sent.on('close', woken)
  sent.on('response', woken)
  /** Hands over bytes and waits until the connection has taken them; false when it never will. */
  const flush = async (bytes: Uint8Array): Promise<boolean> => {
    let taken = false
    watchdog.wait()
    sent.write(bytes, (error) => {
      taken = error === undefined || error === null
      wake()
    })
    while (!taken && !stopped() && !sent.destroyed) {
      await new Promise<void>((resolve) => (wake = resolve))
    }
    if (!stopped()) watchdog.rest()
    return taken
  }
  let step = STEP
  watchdog.rest()
  for await (const chunk of await body.open()) {
    let taken = true
    for (let at = 0; at < chunk.length;) {
      if (stopped()) return
      const bytes = chunk.subarray(at, at + step)
      at += bytes.length
      progress.written += bytes.length
      if (progress.written > body.size) throw wrongLength(body.size, progress.written)
      const begun = performance.now()
      taken = await flush(bytes)
      step = performance.now() - begun < QUICK_MS ? PIECE : STEP
    }
    // Content in memory comes as a whole, and is not ours.
    if (taken && chunk.length < body.size) release(chunk)
  }
  if (stopped()) return
  if (progress.written !== body.size) throw wrongLength(body.size, progress.written)
  watchdog.wait(body.size > SMALL ? stallMs * COMMIT_PATIENCE : stallMs)
  sent.end()
}

// --- internal ---

/** Small steps let the watchdog see progress on slow lines; on quick ones they would cost a third of the speed. */
const STEP = 64 * 1024
const QUICK_MS = 500
/** After the last byte a registry may still hash and copy gigabytes before it answers. */
const COMMIT_PATIENCE = 10
/** A body so small that its answer is not waited for any longer than others. */
const SMALL = 64 * 1024

const wrongLength = (size: number, found: number): BundleError =>
  integrityError(
    `content to be sent has ${found > size ? 'more than' : 'only'} ${found > size ? size : found} of ${size} bytes`,
  )
