import { describe, expect, it } from 'vitest'

import { tallyText } from '../../../src/cli/ui/words.ts'
import { createOutput } from '../../support/shell.ts'
import { clip, createStyle, pad, widthOf } from '../../../src/cli/ui/style.ts'
import { shortened, table } from '../../../src/cli/ui/table.ts'

const digest = `sha256:${'ab'.repeat(32)}`

describe('table', () => {
  it('aligns its columns, numbers to the right, without spaces at the end', () => {
    const text = table(
      ['kind', { title: 'size', align: 'right' }, 'name'],
      [
        ['image', '1.00 GiB', 'q.io/a:1'],
        ['chart', '5 B'],
      ],
      80,
    )
    expect(text).toBe(['kind       size  name', 'image  1.00 GiB  q.io/a:1', 'chart       5 B'].join('\n'))
  })

  it('goes on in the next line where a row does not fit, with every name whole', () => {
    const rows = [['registry.example/organisation/a-long-name:v1.2.3', 'linux/amd64 linux/arm64', 'ok']]
    const lines = table(['name', 'platforms', 'state'], rows, 50).split('\n')
    expect(lines.every((line) => widthOf(line) <= 50)).toBe(true)
    const column = lines.slice(1).map((one) => one.split('  ')[0] ?? '')
    expect(column.join('')).toBe('registry.example/organisation/a-long-name:v1.2.3')
    expect(lines.join('')).not.toContain('…')
    expect(lines[1]).toContain('linux/amd64')
  })

  it('never cuts or wraps a digest', () => {
    const lines = table(
      ['name', { title: 'digest', whole: true }],
      [['q.io/some/image:1', digest]],
      40,
    ).split('\n')
    // The name beside it goes on below.
    expect(lines.slice(2).join('')).not.toContain('ab')
    expect(lines[1]).toMatch(new RegExp(` ${digest}$`))
  })

  it('measures what is seen: colours take no room, wide letters take two, control characters are spelled out', () => {
    const style = createStyle(true)
    const text = table(
      ['a', 'b'],
      [
        [{ text: 'ok', paint: style.green }, 'x'],
        ['日本', 'y'],
        ['\u001B[31m!', 'z'],
      ],
      80,
      { style },
    )
    const [, ok, wide, red] = text.split('\n')
    expect(ok).toBe(`${style.green('ok')}             x`)
    expect(wide).toBe('日本           y')
    expect(red).toBe('⟨U+001B⟩[31m!  z')
  })

  it('is its titles when there are no rows, and indents', () => {
    expect(table(['a', 'b'], [], 80, { indent: '  ' })).toBe('  a  b')
  })
})

describe('a list at the end of a run', () => {
  const rows = Array.from({ length: 60 }, (_, at) => at)
  const terminal = createOutput({ columns: 80, rows: 24 })

  it('fits on a screen and says how much more there is', () => {
    const { rows: shown, more } = shortened(rows, { stdout: terminal, verbose: false })
    expect(shown).toEqual(rows.slice(0, 12))
    expect(more).toEqual(['… and 48 more (--verbose lists all)'])
    const few = rows.slice(0, 16)
    expect(shortened(few, { stdout: terminal, verbose: false })).toEqual({ rows: few, more: [] })
  })

  it('is whole in a file, and when asked for', () => {
    expect(shortened(rows, { stdout: createOutput(), verbose: false }).rows).toBe(rows)
    expect(shortened(rows, { stdout: terminal, verbose: true }).rows).toBe(rows)
  })

  it('tells what was repaired on the way', () => {
    expect(tallyText({ retries: 0, warnings: 0 })).toBe('')
    expect(tallyText({ retries: 1, warnings: 0 })).toBe(' (1 retry)')
    expect(tallyText({ retries: 3, warnings: 1 })).toBe(' (3 retries, 1 warning)')
  })
})

describe('clip and pad', () => {
  it.each([
    ['abcdef', 6, 'end', 'abcdef'],
    ['abcdef', 5, 'end', 'abcd…'],
    ['abcdef', 5, 'middle', 'ab…ef'],
    ['abcdef', 1, 'end', '…'],
    ['abcdef', 0, 'end', ''],
    ['日本語', 4, 'end', '日…'],
  ] as const)('clip(%j, %i, %s) is %j', (text, width, where, clipped) =>
    expect(clip(text, width, where)).toBe(clipped),
  )

  it('pads on either side', () => {
    expect(pad('a', 3)).toBe('a  ')
    expect(pad('a', 3, 'start')).toBe('  a')
    expect(pad('abcd', 3)).toBe('abcd')
  })
})
