import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PIECE, release, take } from '../../src/lib/bytes/buffers.ts'
import { collect } from '../../src/lib/bytes/bytes.ts'
import { openFile } from '../../src/lib/bytes/file.ts'
import { noise } from '../support/images.ts'

test('a piece given back is used again, also after it was cut', () => {
  const first = take(PIECE)
  const { buffer } = first
  release(first.subarray(0, 1000))
  const second = take(PIECE - 1)
  expect(second.buffer).toBe(buffer)
  expect(second.length).toBe(PIECE - 1)
  expect(take(PIECE).buffer).not.toBe(buffer)
})

test('a piece is given back once: the second time changes nothing', () => {
  const piece = take(PIECE)
  release(piece)
  release(piece.subarray(1))
  expect(take(PIECE).buffer).toBe(piece.buffer)
  expect(take(PIECE).buffer).not.toBe(piece.buffer)
})

test('memory of the network is let go at once, memory that is shared is left alone', () => {
  const alone = new Uint8Array(1000)
  release(alone)
  expect(alone.length).toBe(0)
  const shared = new Uint8Array(1000).fill(7)
  release(shared.subarray(0, 500))
  expect(shared[0]).toBe(7)
})

test('what is read from a file and never given back stays as it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-buffers-'))
  const content = noise(3 * PIECE + 17)
  await writeFile(join(folder, 'file'), content)
  const file = await openFile(join(folder, 'file'))
  const whole = await collect(file.read(0, content.length))
  for await (const piece of file.read(0, content.length)) release(piece)
  expect(Buffer.compare(whole, content)).toBe(0)
  await file.close()
  await rm(folder, { recursive: true })
})
