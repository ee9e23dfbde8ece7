const NAME_COLUMN = 26

/** A title with the lines below it; empty without lines. */
export const section = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : [`${title}:`, ...lines].join('\n')

/** The two columns of a help: a name, and a text that is wrapped beside it. */
export function row(left: string, right: string, width: number, column = NAME_COLUMN): string {
  const indent = ' '.repeat(column + 2)
  const text = wrap(right, width, indent)
  if (left.length + 2 > column) return `  ${left}\n${text}`
  return `  ${left.padEnd(column)}${text.slice(indent.length)}`
}

/** A text that belongs to the right column only. */
export const below = (text: string, width: number): string => wrap(text, width, ' '.repeat(NAME_COLUMN + 2))

/** Lines of at most `width`; words joined by a no-break space stay together. */
export function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/[ \n]+/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, indent + line].join('\n').replaceAll('\u00A0', ' ')
}

/** A long command goes on after a backslash, as one would type it. */
export function commandLines(command: string, width: number): string {
  const lines: string[] = []
  let line = '  '
  for (const part of command.split(/ (?=--?\w)/)) {
    const separate = line.trim() !== ''
    if (separate && line.length + 1 + part.length + 2 > width) {
      lines.push(`${line} \\`)
      line = `    ${part}`
    } else line = separate ? `${line} ${part}` : `${line}${part}`
  }
  return [...lines, line].join('\n')
}
