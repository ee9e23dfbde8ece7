import { describe, expect, it } from 'vitest'
import { collect, type Bytes } from '../../src/lib/bytes/bytes.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { verified } from '../../src/oci/verify.ts'

const content = new TextEncoder().encode('content of a layer')
const expected = { digest: digestOf(content), size: content.length }

async function* pieces(bytes: Uint8Array, size: number): Bytes {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** What a consumer has received when the error comes. */
async function received(bytes: Bytes): Promise<{ size: number; error: unknown }> {
  let size = 0
  try {
    for await (const chunk of bytes) size += chunk.length
    return { size, error: undefined }
  } catch (error) {
    return { size, error }
  }
}

describe('verified', () => {
  it.each([1, 5, 100])('passes right content on, in pieces of %i', async (size) => {
    expect(await collect(verified(pieces(content, size), expected))).toEqual(content)
  })

  it('passes empty content on', async () => {
    const empty = new Uint8Array()
    const nothing = { digest: digestOf(empty), size: 0 }
    expect(await collect(verified(pieces(empty, 1), nothing))).toEqual(empty)
  })

  it.each([
    ['a flipped byte', content.map((byte, at) => (at === 3 ? byte ^ 1 : byte)), 'its digest is sha256:'],
    ['a missing end', content.subarray(0, -1), 'ends after 17 of 18 bytes'],
    ['trailing bytes', new Uint8Array([...content, 0]), 'longer than the 18 bytes'],
    ['nothing', new Uint8Array(), 'ends after 0 of 18 bytes'],
  ])('refuses %s, and never hands out the last piece', async (_, bytes, words) => {
    for (const size of [1, 4, 18, 19]) {
      const { size: seen, error } = await received(verified(pieces(bytes, size), expected, 'source x'))
      expect(error).toMatchObject({ kind: 'integrity', where: 'source x' })
      expect(String(error)).toContain(words)
      expect(seen).toBeLessThan(content.length)
    }
  })

  it('hashes what is verified on its way already only once, and other claims anew', async () => {
    const once = verified(pieces(content, 5), expected, 'source x')
    expect(verified(once, { ...expected }, 'target')).toBe(once)
    const { error } = await received(verified(once, { ...expected, size: 17 }, 'target'))
    expect(error).toMatchObject({ kind: 'integrity', where: 'target' })
  })
})
