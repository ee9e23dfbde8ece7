import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandLinesIn } from '../documents/command-lines.ts'
import { linesOf } from './ansi.ts'
import { toSvg } from './svg.ts'

const ESC = '\u001B'
const screen = { columns: 20, rows: 3, title: 'a title', description: 'a & b' }

describe('a screen', () => {
  it('is read with its colours, over the end of a line too', () => {
    expect(linesOf(`a${ESC}[1;32mb${ESC}[0m c\n${ESC}[2md\ne${ESC}[mf${ESC}[48;5;1mg`)).toEqual([
      [
        { text: 'a', bold: false, dim: false },
        { text: 'b', bold: true, dim: false, color: '#7ee787' },
        { text: ' c', bold: false, dim: false },
      ],
      [{ text: 'd', bold: false, dim: true }],
      [
        { text: 'e', bold: false, dim: true },
        { text: 'f', bold: false, dim: false },
        { text: 'g', bold: false, dim: false },
      ],
    ])
  })
})

describe('a recording', () => {
  it('stores a line once, escapes it, and rests on the last frame', () => {
    const svg = toSvg(
      [
        { screen: '$ a <b>', ms: 500 },
        { screen: '$ a <b>\nmore', ms: 1500 },
      ],
      screen,
    )
    expect(svg.match(/\$ a &lt;b&gt;/g)).toHaveLength(1)
    expect(svg.match(/href="#l0"/g)).toHaveLength(2)
    expect(svg).toContain('aria-label="a &amp; b"')
    expect(svg).toContain(
      '0.000% { transform: translateY(-51px) } 55.556% { transform: translateY(0px) } 66.667% { transform: translateY(-51px) }',
    )
    expect(svg).toMatch(/^\.film \{ transform: translateY\(-51px\); animation: film 4\.50s/m)
    expect(svg).not.toContain('<script')
  })

  it('in the README shows commands that the program has', () => {
    const svg = readFileSync(join(import.meta.dirname, 'run.svg'), 'utf8')
    const typed = commandLinesIn(svg.replaceAll(/<[^>]+>/g, '\n').replaceAll('$ ', ''))
    const shown = new Set(typed.map(({ words }) => words[0]))
    for (const command of ['plan', 'export', 'import']) expect(shown).toContain(command)
    expect(svg).toContain('pushed</text>')
    expect(svg).not.toMatch(/\/tmp\/|\/root\/|\/home\//)
  })
})
