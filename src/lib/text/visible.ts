/**
 * Characters of foreign text that nobody sees or that do something where text is shown: control characters (they drive
 * terminals), marks that turn the direction or have no width, line separators of Unicode (they end a comment), halves of
 * surrogate pairs.
 */
export const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Foreign text as people may trust it, on one line: each of `UNSEEN` is spelled out, as in `⟨U+202E⟩`. */
export const visible = (text: string): string =>
  text.replaceAll(UNSEEN, (character) => `⟨U+${hexOf(character).padStart(4, '0')}⟩`)

/**
 * Foreign text as JSON that any terminal, pager and program can be given: `UNSEEN` is escaped, and `JSON.parse` reads
 * the same back. Halves of surrogate pairs are escaped by `JSON.stringify` itself.
 * @param indent spaces for each level; without it, one line
 */
export const jsonText = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replaceAll(UNSEEN, (character) =>
    // The line breaks and the indentation are ours: those of strings are escaped already.
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, at) => unit(character, at)).join(''),
  )

/** Foreign text as a basic string of TOML, with its quotes: https://toml.io/en/v1.0.0#string */
export const tomlString = (text: string): string =>
  `"${text
    .toWellFormed()
    .replaceAll(/["\\]/g, '\\$&')
    .replaceAll(UNSEEN, (character) => `\\U${hexOf(character).padStart(8, '0')}`)}"`

// --- internal ---

const hexOf = (character: string): string => (character.codePointAt(0) ?? 0).toString(16).toUpperCase()

const unit = (character: string, at: number): string =>
  `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
