import { expect, it } from 'vitest'
import { createPassage } from '../../src/bundle/import/replay-buffer.ts'
import { collect, type Bytes } from '../../src/lib/bytes/bytes.ts'
import { noise } from '../support/images.ts'

const MIB = 2 ** 20
const content = noise(10 * MIB, 5)

async function* comes(size: number, piece = 64 * 1024): Bytes {
  for (let at = 0; at < size; at += piece) {
    await Promise.resolve()
    yield content.slice(at, Math.min(at + piece, size))
  }
}
const same = (found: Uint8Array, expected: Uint8Array): boolean => Buffer.compare(found, expected) === 0

/** Reads so many bytes and leaves, as an upload does that breaks off. */
async function readSome(bytes: Bytes, size: number): Promise<void> {
  let seen = 0
  for await (const piece of bytes) {
    seen += piece.length
    if (seen >= size) return
  }
}

it('gives the content once, or from any byte on', async () => {
  const whole = createPassage(comes(10 * MIB), 10 * MIB)
  expect(same(await collect(await whole.open()), content)).toBe(true)
  await whole.over
  const part = createPassage(comes(10 * MIB), 10 * MIB)
  expect(same(await collect(await part.open(7 * MIB + 3)), content.subarray(7 * MIB + 3))).toBe(true)
})

it('begins anew for an upload that broke off early, whatever became of the pieces', async () => {
  const passage = createPassage(comes(10 * MIB), 10 * MIB)
  await readSome(await passage.open(), 3 * MIB)
  await readSome(await passage.open(), 100_000)
  expect(same(await collect(await passage.open(100)), content.subarray(100))).toBe(true)
})

it('loses no piece to an upload that was given up while it waited', async () => {
  const gate = Promise.withResolvers<void>()
  const slow = async function* (): Bytes {
    yield content.slice(0, 1000)
    await gate.promise
    yield content.slice(1000, 3000)
  }
  const passage = createPassage(slow(), 3000)
  const stale = (await passage.open())[Symbol.asyncIterator]()
  await stale.next()
  const waiting = stale.next()
  const fresh = collect(await passage.open())
  gate.resolve()
  await waiting
  expect(same(await fresh, content.subarray(0, 3000))).toBe(true)
})

it('says plainly that a pipe gives what is gone only once', async () => {
  const passage = createPassage(comes(10 * MIB), 10 * MIB)
  await readSome(await passage.open(), 9 * MIB)
  await expect(collect(await passage.open())).rejects.toMatchObject({
    kind: 'network',
    message: expect.stringContaining('came through a pipe only once'),
  })
})

it('reads nothing more once it is closed, and tells whoever still wants to', async () => {
  let given = 0
  const counted = async function* (): Bytes {
    for await (const piece of comes(10 * MIB)) {
      given += piece.length
      yield piece
    }
  }
  const passage = createPassage(counted(), 10 * MIB)
  await readSome(await passage.open(), MIB)
  await passage.close()
  const before = given
  await expect(collect(await passage.open())).rejects.toMatchObject({ kind: 'network' })
  expect(given).toBe(before)
})
