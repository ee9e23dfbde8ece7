import { stripVTControlCharacters, styleText } from 'node:util'
import { visible } from '../../lib/text/visible.ts'

/** Ways to mark text; each returns it unchanged when colours are off. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

export function createStyle(color: boolean): Style {
  const paint =
    (format: keyof Style) =>
    (text: string): string =>
      color ? styleText(format, text, { validateStream: false }) : text
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  }
}

/** Columns a text takes on a terminal: no escape codes, wide characters twice. */
export const widthOf = (text: string): number => Bun.stringWidth(text)

/** Filled with spaces up to a width; `start` puts the text to the right. */
export function pad(text: string, width: number, side: 'start' | 'end' = 'end'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)))
  return side === 'end' ? text + space : space + text
}

/** At most `width` columns: the end goes, or with `middle` the middle, because both ends of a reference tell it apart. */
export function clip(text: string, width: number, where: 'end' | 'middle' = 'end'): string {
  if (widthOf(text) <= width) return text
  if (width <= 1) return width === 1 ? '…' : ''
  const characters = Array.from(segmenter.segment(stripVTControlCharacters(text)), ({ segment }) => segment)
  const tail = where === 'middle' ? Math.floor((width - 1) / 2) : 0
  return `${take(characters, width - 1 - tail)}…${take(characters.toReversed(), tail, true)}`
}

/** All of a text in lines of at most `width` columns, broken behind what separates the parts of a reference or a path. */
export function fold(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let rest = text
  while (widthOf(rest) > Math.max(1, width)) {
    const characters = Array.from(segmenter.segment(rest), ({ segment }) => segment)
    const fitting = take(characters, Math.max(1, width)) || (characters[0] ?? '')
    const at = Math.max(...['/', ':', '@', ' ', ',', '='].map((mark) => fitting.lastIndexOf(mark))) + 1
    // A part that is longer than half of the line is broken anywhere.
    const line = at * 2 > fitting.length ? fitting.slice(0, at) : fitting
    lines.push(line.trimEnd())
    rest = rest.slice(line.length).trimStart()
  }
  return [...lines, rest]
}

/** Text from outside as one line that cannot steer the terminal, nor look like another. */
export const oneLine = (text: string): string => visible(text.replaceAll(/[\t\n\r]+/g, ' ')).trim()

/**
 * Whole lines for a terminal, as they leave the program: but for line feeds, tabs and the colours of `Style`, all that
 * would steer it is spelled out, wherever it came from.
 */
export const terminalText = (text: string): string =>
  text
    .split(COLOURS)
    .map((part, at) => (at % 2 === 1 ? part : part.replaceAll(/[^\n\t]+/g, visible)))
    .join('')

// --- internal ---

/** What `styleText` writes for the colours of `Style`. */
const COLOURS = new RegExp(`(${String.fromCharCode(0x1b)}\\[(?:0|1|2|22|31|32|33|36|39)m)`)
const segmenter = new Intl.Segmenter()

function take(characters: readonly string[], width: number, reverse = false): string {
  const taken: string[] = []
  let used = 0
  for (const character of characters) {
    used += widthOf(character)
    if (used > width) break
    taken.push(character)
  }
  return (reverse ? taken.toReversed() : taken).join('')
}
