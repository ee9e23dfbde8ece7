/**
 * Memory for pieces of content. A transfer makes garbage as fast as the network and the disk are, and the collector
 * lets tens of MiB of it pile up. So whoever uses a piece last gives it back: it is used again, or freed at once.
 */

/** Large enough to keep the disk and sha256 busy, small enough for many transfers at once. */
export const PIECE = 512 * 1024

/** A buffer for up to `PIECE` bytes, its content undefined. Give it back with `release`; forgotten ones are no harm. */
export function take(length: number): Uint8Array {
  // Manifests and headers are kept by those who read them: they never come back, and need no PIECE each.
  if (length <= PIECE / 2) return new Uint8Array(length)
  const buffer = free.pop() ?? new ArrayBuffer(PIECE)
  lent.add(buffer)
  return new Uint8Array(buffer, 0, length)
}

/**
 * Takes back a piece of a stream. Only its last user may call this, once, for content that nobody holds elsewhere;
 * its bytes are undefined afterwards. A piece that shares its memory with others is left to the collector.
 */
export function release(piece: Uint8Array): void {
  const { buffer } = piece
  if (!(buffer instanceof ArrayBuffer)) return
  const { byteLength } = buffer
  if (lent.delete(buffer)) {
    if (free.length < KEPT) free.push(buffer)
  } else if (piece.byteLength === byteLength) {
    // What the network brought cannot be used again, but it can be let go before the collector looks at it.
    buffer.transfer(0)
  }
  // Garbage that lies about weighs twice as much as what was given back.
  spent(byteLength / 2)
}

/** So many bytes of garbage were made besides pieces. */
export const littered = (bytes: number): void => spent(bytes)

/** A transfer is over: what it needed besides its pieces (sockets, headers, timers) weighs like so many bytes. */
export const transferred = (): void => spent(TRANSFER)

/** So many bytes were sent out of one buffer: the copies that sockets made of them lie about until they are collected. */
export const sentWhole = (bytes: number): void => spent(bytes * COPIES)

// --- internal ---

/** 64 transfers at a time is the most there is. */
const KEPT = 64
/**
 * The small things that come with each piece (promises, views) make the collector's old generation grow. A full
 * collection takes 30 to 40 ms: for each 128 MiB of pieces it kept 30 MiB off the peak and took a tenth of the time;
 * for each 256 MiB it keeps 25 off, and takes half of that.
 */
const SWEEP_AFTER = 128 * 1024 * 1024
const TRANSFER = 2 * 1024 * 1024
const COPIES = 8

const free: ArrayBuffer[] = []
const lent = new WeakSet<ArrayBuffer>()
let passed = 0

function spent(bytes: number): void {
  passed += bytes
  if (passed < SWEEP_AFTER) return
  passed = 0
  Bun.gc(true)
}
