/** Far above what prose leaves unclosed, and what real files nest; a parser needs some megabytes for it. */
export const MAX_NESTING = 10_000

/**
 * Whether JSON or YAML nests deeper than `limit`, counted by its brackets alone: parsers pay for each level with stack
 * or memory, some of them kilobytes for one byte. Brackets within texts count too, so that a limit for YAML has to be
 * far above what prose leaves unclosed.
 */
export function nestsDeeper(text: string | Uint8Array, limit: number): boolean {
  if (typeof text === 'string')
    return bracketsOf(text.length, (at) => text.charCodeAt(at), limit) || LISTS.test(text)
  return bracketsOf(text.length, (at) => text[at] ?? 0, limit)
}

// --- internal ---

/** Lists in lists on one line: `- - - -`. */
const LISTS = /(?:[-?] +){500}/

function bracketsOf(length: number, byteAt: (at: number) => number, limit: number): boolean {
  let depth = 0
  for (let at = 0; at < length; at += 1) {
    const byte = byteAt(at)
    // `[` and `{`, `]` and `}` differ in one bit.
    if ((byte | 0x20) === 0x7b) {
      depth += 1
      if (depth > limit) return true
    } else if ((byte | 0x20) === 0x7d && depth > 0) depth -= 1
  }
  return false
}
