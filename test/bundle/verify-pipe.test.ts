import { afterAll, beforeAll, expect, it } from 'vitest'
import { verifyPipe, type VerifiedPipe } from '../../src/bundle/verify/stream.ts'
import type { Bytes } from '../../src/lib/bytes/bytes.ts'
import { BundleError } from '../../src/lib/errors.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let small: SmallBundle
beforeAll(async () => {
  small = await makeSmallBundle()
})
afterAll(() => small.remove())

const options = { emit: () => undefined, signal: new AbortController().signal }

/** As a pipe gives it: in pieces that know nothing of blocks. */
async function* inPieces(content: Uint8Array, piece = 777): Bytes {
  for (let at = 0; at < content.length; at += piece) {
    await Promise.resolve()
    yield content.slice(at, at + piece)
  }
}

/** What comes of it: what is damaged, or why it could not be read on. */
async function outcomeOf(content: Uint8Array): Promise<VerifiedPipe | BundleError> {
  try {
    return await verifyPipe(inPieces(content, 8192), options)
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'integrity') return error
    throw error
  }
}

it('finds a whole bundle whole, in pieces of any length', async () => {
  for (const piece of [1, 511, 512, 10_000_000]) {
    expect(await verifyPipe(inPieces(small.bytes, piece), options)).toMatchObject({ damaged: [] })
  }
})

it('finds every byte that is changed, wherever it lies', { timeout: 120_000 }, async () => {
  const missed: number[] = []
  for (let at = 0; at < small.bytes.length; at += at % 512 < 160 ? 5 : 31) {
    const copy = new Uint8Array(small.bytes)
    copy[at] = (copy[at] ?? 0) ^ 1
    const outcome = await outcomeOf(copy)
    if (!(outcome instanceof BundleError) && outcome.damaged.length === 0) missed.push(at)
  }
  expect(missed).toEqual([])
})

it('finds that it was cut, wherever that is, and that something stands behind it', async () => {
  for (let length = 0; length < small.bytes.length; length += 1009) {
    expect(await outcomeOf(small.bytes.subarray(0, length))).toBeInstanceOf(BundleError)
  }
  expect(await outcomeOf(Buffer.concat([small.bytes, Buffer.from('x')]))).toBeInstanceOf(BundleError)
  expect(await outcomeOf(Buffer.concat([small.bytes, Buffer.alloc(9216)]))).toMatchObject({ damaged: [] })
})

it('names what is damaged with its place, and goes on', async () => {
  const copy = new Uint8Array(small.bytes)
  const chart = Buffer.from(copy).indexOf('charts/web-1.2.3.tgz\0')
  const layer = Buffer.from(copy).lastIndexOf('blobs/sha256/')
  for (const header of [chart, layer]) copy[header + 512 + 5] = (copy[header + 512 + 5] ?? 0) ^ 1
  expect(await outcomeOf(copy)).toMatchObject({
    damaged: [
      { path: 'charts/web-1.2.3.tgz', offset: chart + 512 },
      { path: expect.stringMatching(/^blobs/), offset: layer + 512 },
    ],
  })
})
