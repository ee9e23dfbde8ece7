import { buildMark, type Build } from '../../src/lib/build.ts'
import { noise } from './images.ts'

const MACHINES: Readonly<Record<string, number>> = {
  'linux/amd64': 62,
  'linux/arm64': 183,
  'linux/s390x': 22,
}

/** What looks like a compiled ma-bundle of some other machine: the first bytes and the mark of one, and noise. */
export function fakeProgram(build: Build, size = 1_200_000, marked = true): Uint8Array {
  const head = Buffer.alloc(64)
  head.writeUInt32BE(0x7f454c46, 0)
  head.writeUInt16LE(MACHINES[build.platform] ?? 0, 18)
  const mark = marked ? buildMark(build) : 'no mark'
  // Over the edge of a piece that is read at once, where a search in pieces would miss it.
  const before = noise(512 * 1024 - head.length - 20, 7)
  return Buffer.concat([head, before, Buffer.from(mark), noise(size, 8)])
}
