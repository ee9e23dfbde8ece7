import { describe, expect, it } from 'vitest'
import { decodeInventory, encodeInventory } from '../../src/bundle/export/inventory.ts'
import { digestOf } from '../../src/oci/digest.ts'

const digests = Array.from({ length: 40 }, (_, at) => digestOf(String(at))).toSorted()

describe('an inventory', () => {
  it.each([true, false])('says what is there and nothing else, short: %s', (isShort) => {
    const { has, count } = decodeInventory(encodeInventory(digests, isShort), 'there.txt')
    expect(count).toBe(40)
    expect(digests.filter((digest) => !has(digest))).toEqual([])
    expect(has(digestOf('another'))).toBe(false)
  })

  it('may be empty', () => {
    const { has, count } = decodeInventory(encodeInventory([], false), 'there.txt')
    expect([count, has(digestOf('x'))]).toEqual([0, false])
  })

  it('finds every single digit that is typed wrong', () => {
    const text = encodeInventory(digests.slice(0, 3), true)
    const start = text.indexOf('\n') + 1
    for (let at = start; at < text.lastIndexOf('\n'); at += 1) {
      if (!/[0-9a-f]/.test(text[at] ?? '')) continue
      const wrong = text.slice(0, at) + (text[at] === '7' ? '8' : '7') + text.slice(at + 1)
      expect(() => decodeInventory(wrong, 'there.txt'), `digit ${at}`).toThrow('the inventory is not right')
    }
  })

  it('is read by the same words whatever the case, blanks and line ends', () => {
    const text = encodeInventory(digests, true)
    const typed = text
      .toUpperCase()
      .replaceAll('\n', ' \r\n\r\n')
      .replaceAll(/^(....)/gm, '$1')
    expect(decodeInventory(typed, 'there.txt').count).toBe(40)
  })
})
