import type { Bytes } from './bytes.ts'

/** Content that comes once and in order, as through a pipe. */
export interface SequentialReader {
  /** Bytes read by now. */
  readonly at: number
  /** Up to `length` bytes from here on: fewer only when it ends before. One at a time. */
  read(length: number): Bytes
}

export function readInOrder(bytes: Bytes): SequentialReader {
  const iterator = bytes[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array()
  let at = 0
  return {
    get at() {
      return at
    },
    async *read(length) {
      for (let left = length; left > 0;) {
        if (rest.length === 0) {
          const next = await iterator.next()
          if (next.done === true) return
          rest = next.value
        }
        const piece = rest.subarray(0, left)
        rest = rest.subarray(piece.length)
        left -= piece.length
        at += piece.length
        if (piece.length > 0) yield piece
      }
    },
  }
}
