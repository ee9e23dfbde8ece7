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
  passed(byteLength)
}

/** A transfer is over: what it needed besides its pieces are many small things (sockets, headers, timers). */
export const transferred = (): void => passed(TRANSFER)

/** So many bytes of garbage were made outside of the heap, in the sockets. */
export function littered(bytes: number): void {
  unseen += bytes
  if (unseen >= SWEEP_AFTER) sweep()
}

/** So many bytes were sent out of one buffer: the copies that sockets made of them lie about until they are collected. */
export const sentWhole = (bytes: number): void => littered(bytes * COPIES)

/** A piece of work is over, and most of what it needed is garbage: a text of some MiB was parsed, say. */
export function settled(): void {
  if (memory() >= Math.max(LARGE, size + PILE)) sweep()
}

// --- internal ---

/** 64 transfers at a time is the most there is. */
const KEPT = 64
const MIB = 1024 * 1024
/**
 * The small things that come with each piece (promises, views) make the collector's old generation grow. A full
 * collection takes 20 to 40 ms, so it comes when the process has become this large, which a program of 60 MiB does
 * after some 100 MiB of pieces, and not because so much has passed: with small pieces there is less to be gained.
 */
const LARGE = 92 * MIB
/** When it is as large as that without garbage. */
const GROWTH = 8 * MIB
/** Looking takes 10 microseconds. */
const LOOK_AFTER = 4 * MIB
/** What may pile up between pieces of work, which come seldom. */
const PILE = 32 * MIB
const TRANSFER = 2 * MIB
const SWEEP_AFTER = 128 * MIB
const COPIES = 8

const free: ArrayBuffer[] = []
const lent = new WeakSet<ArrayBuffer>()
let sinceLooked = 0
let unseen = 0
/** Of the process, after the last collection. */
let size = 0

/** So many bytes came and went: time to look whether garbage piles up? */
function passed(bytes: number): void {
  sinceLooked += bytes
  if (sinceLooked < LOOK_AFTER) return
  sinceLooked = 0
  if (memory() >= Math.max(LARGE, size + GROWTH)) sweep()
}

/** Of the process, bytes. Reading it takes a file, of which there may be none left to open. */
function memory(): number {
  try {
    return process.memoryUsage.rss()
  } catch {
    return 0
  }
}

function sweep(): void {
  unseen = 0
  Bun.gc(true)
  size = memory()
}
