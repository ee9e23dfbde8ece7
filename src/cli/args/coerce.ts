import { usageError } from '../../lib/errors.ts'
import { formatBytes, parseBytes } from '../../lib/format.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import type { EnumFlag, Flag, StringFlag } from './flags.ts'

/** Text from a flag, the environment or the config file, and where it stands, for the error. */
export interface Given {
  readonly text: string
  /** `flag --split`, `environment MA_BUNDLE_SPLIT`, `ma-bundle.config.yaml:3:9`. */
  readonly where: string
}

export type Scalar = string | number | boolean

/** The typed value of a flag. Throws a usage error that says what is expected. */
export function coerce(def: Flag, { text, where }: Given): Scalar {
  switch (def.type) {
    case 'boolean':
      return toBoolean(text, where)
    case 'integer':
      return toInteger(def, text, where)
    case 'size':
      return toSize(def, text, where)
    case 'enum':
      return toOption(def, text, where)
    default:
      return toText(def, text, where)
  }
}

// --- internal ---

const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
}

function toBoolean(text: string, where: string): boolean {
  const value = booleans[text.toLowerCase()]
  if (value !== undefined) return value
  throw usageError(`${JSON.stringify(text)} is neither true nor false`, {
    where,
    next: 'write true or false',
  })
}

function toOption({ options }: EnumFlag, text: string, where: string): string {
  if (options.includes(text)) return text
  const hints = [didYouMean(text, options), `choose one of ${options.join(', ')}`]
  throw usageError(`${JSON.stringify(text)} is not a choice here`, {
    where,
    next: hints.filter((hint) => hint !== undefined).join(' '),
  })
}

function toText({ allowEmpty }: StringFlag, text: string, where: string): string {
  if (text !== '' || allowEmpty === true) return text
  throw usageError('the value is empty', {
    where,
    next: 'give a value; an unset shell variable looks like this',
  })
}

function toInteger(def: { min?: number; max?: number }, text: string, where: string): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) {
    throw usageError(`${JSON.stringify(text)} is not a whole number`, { where, next: 'write digits only' })
  }
  if (value < (def.min ?? -Infinity) || value > (def.max ?? Infinity)) {
    throw usageError(`${value} is out of range`, { where, next: `write ${rangeText(def)}` })
  }
  return value
}

function rangeText({ min, max }: { min?: number; max?: number }): string {
  if (min === undefined) return `a number up to ${max}`
  return max === undefined ? `${min} or more` : `a number from ${min} to ${max}`
}

function toSize(
  def: { min?: number; names?: Readonly<Record<string, number>> },
  text: string,
  where: string,
): number {
  const names = def.names ?? {}
  const value = Object.hasOwn(names, text.toLowerCase()) ? names[text.toLowerCase()] : parseBytes(text)
  if (value === undefined) {
    throw usageError(`${JSON.stringify(text)} is not a size`, {
      where,
      next: `write ${['a number with a unit, for example 4GiB or 650MB', ...Object.keys(names)].join(', or ')}`,
    })
  }
  if (value < (def.min ?? 0)) {
    throw usageError(`${formatBytes(value)} is too small`, {
      where,
      next: `write ${formatBytes(def.min ?? 0)} or more`,
    })
  }
  return value
}
