import { describe, expect, test } from 'vitest'
import type { Bytes } from '../../src/lib/bytes/bytes.ts'
import { inWindows, RangesRefused, type WindowOptions } from '../../src/lib/bytes/windows.ts'

const MIB = 1024 * 1024
const SIZE = 96 * MIB
const CHUNK = 256 * 1024
const BUDGET = 23 * MIB

/** Bytes that differ from place to place, so that none can stand for another. */
function contentAt(start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const words = new Uint32Array(bytes.buffer, 0, length / 4)
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(start / 4 + at + 1, 2_654_435_761)
  return bytes
}

interface Fake {
  readonly ranges: (readonly [number, number])[]
  readonly rests: number[]
  open: number
  most: number
  sent: number
  clock: number
  readonly range: (start: number, end: number) => Bytes
  readonly rest: (start: number) => Bytes
}

interface FakeOptions {
  /** Bytes a second of each connection, and of all together. */
  readonly each?: number
  readonly line?: number
  /** Called before each chunk. */
  readonly before?: (at: number, from: number) => Promise<void> | void
}

/** A server with a clock of its own: time passes as bytes do. */
function fakeServer({ each = 20 * MIB, line = Infinity, before }: FakeOptions = {}): Fake {
  async function* send(start: number, end: number): Bytes {
    fake.open += 1
    fake.most = Math.max(fake.most, fake.open)
    try {
      for (let at = start; at < end; at += CHUNK) {
        await before?.(at, start)
        await new Promise((resolve) => setImmediate(resolve))
        const length = Math.min(CHUNK, end - at)
        fake.clock += (length / Math.min(each * fake.open, line)) * 1000
        fake.sent += length
        yield contentAt(at, length)
      }
    } finally {
      fake.open -= 1
    }
  }
  const fake: Fake = {
    ranges: [],
    rests: [],
    open: 0,
    most: 0,
    sent: 0,
    clock: 0,
    range(start, end) {
      fake.ranges.push([start, end])
      return send(start, end)
    },
    rest(start) {
      fake.rests.push(start)
      return send(start, SIZE)
    },
  }
  return fake
}

const always = (): (() => void) => () => undefined

async function read(
  fake: Fake,
  options: Partial<WindowOptions> = {},
  onPiece?: (bytes: number) => Promise<void>,
): Promise<void> {
  let at = options.start ?? 0
  const all = { start: 0, size: SIZE, spare: always, now: () => fake.clock, ...options }
  for await (const piece of inWindows(fake, all)) {
    if (Buffer.compare(piece, contentAt(at, piece.length)) !== 0) throw new Error(`wrong bytes at ${at}`)
    at += piece.length
    await onPiece?.(piece.length)
  }
  expect(at).toBe(SIZE)
}

describe('inWindows', () => {
  test('brings large content over eight connections where each gives little, every byte once and in order', async () => {
    const fake = fakeServer()
    await read(fake)
    expect(fake.most).toBe(8)
    expect(fake.rests).toEqual([])
    expect(fake.sent).toBe(SIZE)
    expect(fake.ranges).toHaveLength(SIZE / (3 * MIB))
  })

  test('fetches small content, and the end of large, on one connection', async () => {
    const fake = fakeServer()
    await read(fake, { start: SIZE - 8 * MIB })
    expect(fake.rests).toEqual([SIZE - 8 * MIB])
    expect(fake.ranges).toEqual([])
  })

  test('stays on one connection that is as fast as this program', async () => {
    const fake = fakeServer({ each: 900 * MIB })
    await read(fake)
    expect(fake.most).toBe(1)
    expect([fake.ranges.length, fake.rests]).toEqual([1, [3 * MIB]])
  })

  test('goes back to one where eight give no more than one', async () => {
    const fake = fakeServer({ each: 50 * MIB, line: 50 * MIB })
    await read(fake)
    expect(fake.rests).toHaveLength(1)
    expect(fake.rests[0]).toBeLessThan(SIZE)
    expect(fake.sent).toBe(SIZE)
  })

  test('holds no more than its budget for a reader that is slow', async () => {
    const fake = fakeServer()
    let taken = 0
    let most = 0
    await read(fake, {}, async (bytes) => {
      taken += bytes
      for (let wait = 0; wait < 20; wait += 1) await new Promise((resolve) => setImmediate(resolve))
      most = Math.max(most, fake.sent - taken)
    })
    expect(most).toBeLessThanOrEqual(BUDGET + 3 * MIB)
  })

  test('shares its budget with other contents, each of which gets on', async () => {
    let most = 0
    const before = (): void => {
      most = Math.max(
        most,
        fakes.reduce((sum, { open }) => sum + open, 0),
      )
    }
    const fakes = [fakeServer({ before }), fakeServer({ before }), fakeServer({ before })]
    await Promise.all(fakes.map((fake) => read(fake)))
    // The first window of each has its place whatever the others hold.
    expect(most).toBeLessThanOrEqual(8 + 3)
  })

  test('takes one connection where there is no room for more, with few requests, and more as soon as there is', async () => {
    const fake = fakeServer()
    let room = false
    let lent = 0
    const spare: WindowOptions['spare'] = () => {
      if (!room || lent >= 3) return undefined
      lent += 1
      return () => {
        lent -= 1
      }
    }
    let pieces = 0
    await read(fake, { spare }, () => {
      pieces += 1
      if (pieces === 60) {
        expect(fake.most).toBe(1)
        expect(fake.ranges).toHaveLength(2)
        room = true
      }
      return Promise.resolve()
    })
    expect(fake.most).toBe(4)
    expect(lent).toBe(0)
  })

  test.each([0, 5 * 3 * MIB])(
    'goes on with one connection when the server refuses the range at %i',
    async (refused) => {
      const fake = fakeServer({
        before(at, from) {
          if (from === refused && at === refused && fake.rests.length === 0)
            throw new RangesRefused('200 to a range')
        },
      })
      await read(fake)
      expect(fake.rests).toEqual([refused])
    },
  )

  test('fails with what a window failed with, and lets go of all connections', async () => {
    const fake = fakeServer({
      before(at) {
        if (at === 30 * MIB) throw new Error('reset')
      },
    })
    await expect(read(fake)).rejects.toThrow('reset')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(fake.open).toBe(0)
    // Nothing of the budget is lost.
    const again = fakeServer()
    await read(again)
    expect(again.most).toBe(8)
  })

  test('lets go of all connections when its reader leaves', async () => {
    const fake = fakeServer()
    for await (const piece of inWindows(fake, {
      start: 0,
      size: SIZE,
      spare: always,
      now: () => fake.clock,
    })) {
      if (piece.length > 0 && fake.sent > 20 * MIB) break
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(fake.open).toBe(0)
  })

  test('gives a window that everything waits for to another connection', async () => {
    let stuck = 0
    const fake = fakeServer({
      async before(at, from) {
        if (at !== 16 * MIB || from !== 15 * MIB) return
        stuck += 1
        // This connection never says anything again; time passes all the same.
        await new Promise((resolve) => {
          const passing = setInterval(() => {
            fake.clock += 500
          }, 20)
          setTimeout(() => {
            clearInterval(passing)
            resolve(undefined)
          }, 8_000)
        })
      },
    })
    await read(fake)
    expect(stuck).toBe(1)
    expect(fake.ranges).toContainEqual([16 * MIB, 18 * MIB])
  })
})
