import { PIECE, take } from './buffers.ts'

/**
 * Copies what arrived into pieces that are used again: small ones from the network would take twice their size. The last
 * piece grows; all of them are to be given back with `release`.
 */
export function append(pieces: Uint8Array[], chunk: Uint8Array): void {
  for (let from = 0; from < chunk.length;) {
    let last = pieces.at(-1)
    if (last === undefined || roomIn(last) === 0) {
      last = take(PIECE).subarray(0, 0)
      pieces.push(last)
    }
    const part = chunk.subarray(from, from + roomIn(last))
    const grown = new Uint8Array(last.buffer, last.byteOffset, last.length + part.length)
    grown.set(part, last.length)
    pieces[pieces.length - 1] = grown
    from += part.length
  }
}

// --- internal ---

const roomIn = ({ buffer, byteOffset, length }: Uint8Array): number => buffer.byteLength - byteOffset - length
