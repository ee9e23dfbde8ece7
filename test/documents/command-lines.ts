/** A command line as a document shows it, in words as a shell would make them. */
export interface CommandLine {
  readonly text: string
  /** Without `ma-bundle`. */
  readonly words: readonly string[]
  /** It goes on with `…`, or is only spoken of, and need not be whole. */
  readonly isOpen: boolean
}

/**
 * Every `ma-bundle …` that a text tells people or machines to type: in fenced code, between backticks or quotes, in
 * YAML. Comments and what a shell does around it (pipes, redirections, other commands) are left out. A placeholder
 * (`<host>`) is one word.
 */
export function commandLinesIn(text: string): readonly CommandLine[] {
  const joined = text.replaceAll(/\\\r?\n\s*/g, ' ')
  return [...joined.matchAll(/(^|[\s`'"(|])ma-bundle(?= [a-z][a-z-]*(?![\w:]))/gm)].flatMap(
    ({ 0: found, 1: before = '', index }) => {
      const line = joined.slice(index + found.length + 1).split('\n')[0] ?? ''
      const quoted = ['"', "'"].includes(before) ? (line.split(before)[0] ?? '') : line
      const { words, isOpen } = shellWords(quoted)
      return words.length === 0 ? [] : [{ text: `ma-bundle ${words.join(' ')}`, words, isOpen }]
    },
  )
}

/** What TypeScript source has between quotes and backticks. */
export const literalsIn = (source: string): string =>
  [...source.matchAll(/'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g)]
    .map(([, single, template]) => (single ?? template ?? '').replaceAll(/\$\{[^}]*\}/g, '<x>'))
    .join('\n')

// --- internal ---

/** Up to what ends a command: a pipe, a redirection, a comment, a closing bracket or backtick. */
function shellWords(line: string): Pick<CommandLine, 'words' | 'isOpen'> {
  const words: string[] = []
  let word: string | undefined
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? ''
    const placeholder = /^<[a-z][^<>|]*>/i.exec(line.slice(at))?.[0]
    if (placeholder !== undefined) {
      word = (word ?? '') + placeholder
      at += placeholder.length - 1
    } else if (character === '"' || character === "'") {
      const end = line.indexOf(character, at + 1)
      if (end < 0) break
      word = (word ?? '') + line.slice(at + 1, end)
      at = end
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (/[|;&>)`]/.test(character) || (word === undefined && /[#<(]/.test(character))) break
    else word = (word ?? '') + character
  }
  if (word !== undefined) words.push(word)
  const open = words.findIndex((one) => /^(…|\.\.\.)/.test(one))
  return { words: open < 0 ? words : words.slice(0, open), isOpen: open >= 0 }
}
