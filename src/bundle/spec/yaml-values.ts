import { isScalar } from 'yaml'
import { BundleError } from '../../lib/errors.ts'
import { expected, nodeOf, problem, type YamlNode } from './yaml-reader.ts'

// Each reader returns undefined for an absent place and for a wrong value; the latter is noted.

/** A text that is not empty. YAML reads `1.10` as a number and would lose the zero: such a value needs quotes. */
export function text(place: YamlNode | undefined, what: string): string | undefined {
  if (place === undefined) return undefined
  const node = nodeOf(place)
  if (!isScalar(node) || typeof node.value !== 'string') {
    const quotes = isScalar(node) && node.value !== null ? `; put it in quotes: "${node.source ?? ''}"` : ''
    return expected(place, `${what}${quotes}`)
  }
  return node.value.trim() === '' ? expected(place, what) : node.value
}

/** A text that looks like `pattern`. */
export function matching(place: YamlNode | undefined, pattern: RegExp, what: string): string | undefined {
  const found = text(place, what)
  if (found === undefined || place === undefined) return undefined
  return pattern.test(found) ? found : expected(place, what)
}

/** One of a few words. */
export function oneOf<Word extends string>(
  place: YamlNode | undefined,
  words: readonly Word[],
): Word | undefined {
  const found = text(place, words.join(' or '))
  if (found === undefined || place === undefined) return undefined
  return words.find((word) => word === found) ?? expected(place, words.join(' or '))
}

export function flag(place: YamlNode | undefined): boolean | undefined {
  if (place === undefined) return undefined
  const node = nodeOf(place)
  return isScalar(node) && typeof node.value === 'boolean' ? node.value : expected(place, 'true or false')
}

/** A number of bytes. */
export function size(place: YamlNode | undefined): number | undefined {
  if (place === undefined) return undefined
  const node = nodeOf(place)
  const value: unknown = isScalar(node) ? node.value : undefined
  const isSize = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  return isSize ? value : expected(place, 'a whole number of bytes')
}

/** A text that `parse` turns into a value; what `parse` refuses is a problem of this place. */
export function parsed<T>(
  place: YamlNode | undefined,
  what: string,
  parse: (text: string) => T,
): T | undefined {
  const found = text(place, what)
  if (found === undefined || place === undefined) return undefined
  try {
    return parse(found)
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
    return problem(place, error.next === undefined ? error.message : `${error.message}; ${error.next}`)
  }
}
