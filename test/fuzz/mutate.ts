const WORDS = [
  '__proto__',
  'constructor',
  '../',
  '/',
  '\\',
  '\0',
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  '&a ',
  '*a',
  '!!',
  '<<: ',
  '- ',
  ': ',
  '? ',
  '|',
  '>',
  '%',
  '@',
  '=',
  ',',
  ';',
  '-1',
  '0',
  '1e309',
  '9007199254740993',
  '99999999999',
  'null',
  'true',
  'sha256:',
  'sha512:',
  '\r\n',
  '\n',
  '\t',
  ' ',
  '\u202e',
  '\ud800',
  '\u001b[2J',
  'é',
  '\uffff',
]

/** One to eight changes of an input; what follows from `next` alone can be had again. */
export function mutate(seed: Uint8Array, others: readonly Uint8Array[], next: () => number): Uint8Array {
  const pick = (limit: number): number => Math.floor(next() * limit)
  let bytes: Uint8Array = Uint8Array.from(seed)
  for (let left = 1 + pick(8); left > 0; left -= 1) {
    const at = pick(bytes.length + 1)
    const splice = (gone: number, added: Uint8Array): Uint8Array =>
      Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + gone)])
    switch (pick(8)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8))
        break
      case 1:
        if (at < bytes.length) bytes[at] = pick(256)
        break
      case 2:
        bytes = splice(0, new TextEncoder().encode(WORDS[pick(WORDS.length)] ?? ''))
        break
      case 3:
        bytes = splice(1 + pick(16), new Uint8Array())
        break
      case 4:
        bytes = splice(0, bytes.subarray(at, at + 1 + pick(64)))
        break
      case 5:
        bytes = bytes.slice(0, at)
        break
      case 6: {
        const other = others[pick(others.length)] ?? seed
        const from = pick(other.length)
        bytes = splice(pick(32), other.subarray(from, from + pick(128)))
        break
      }
      default: {
        const word = new TextEncoder().encode(WORDS[pick(WORDS.length)] ?? '')
        bytes = splice(word.length, word)
      }
    }
  }
  return bytes
}
