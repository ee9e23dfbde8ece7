import { stripVTControlCharacters, styleText } from 'node:util'

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

/** Text from outside as one line that cannot steer the terminal. */
export const oneLine = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ').trim()

// --- internal ---

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
