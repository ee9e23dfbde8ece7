import { EcrError, invalidParameter } from './errors.ts'

/** The JSON object of a call, read field by field; a wrong type is a SerializationException in all but name. */
export type Input = Readonly<Record<string, unknown>>

export function inputOf(raw: Uint8Array): Input {
  const text = new TextDecoder().decode(raw)
  try {
    const value: unknown = text === '' ? {} : JSON.parse(text)
    if (isInput(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new EcrError('InvalidParameterException', 'The request body is not a JSON object')
}

export const isInput = (value: unknown): value is Input =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function optionalText(input: Input, name: string): string | undefined {
  const value = input[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw invalidParameter(name, 'Member must be a string')
  return value
}

export function text(input: Input, name: string): string {
  const value = optionalText(input, name)
  if (value === undefined) throw invalidParameter(name, 'Member must not be null')
  return value
}

export function optionalNumber(input: Input, name: string, min: number, max: number): number | undefined {
  const value = input[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw invalidParameter(name, 'Member must be an integer')
  if (value > max) throw invalidParameter(name, `Member must have value less than or equal to ${max}`)
  if (value < min) throw invalidParameter(name, `Member must have value greater than or equal to ${min}`)
  return value
}

export function number(input: Input, name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const value = optionalNumber(input, name, min, max)
  if (value === undefined) throw invalidParameter(name, 'Member must not be null')
  return value
}

export function optionalObject(input: Input, name: string): Input | undefined {
  const value = input[name]
  if (value === undefined || value === null) return undefined
  if (!isInput(value)) throw invalidParameter(name, 'Member must be an object')
  return value
}

export function optionalList(input: Input, name: string): readonly unknown[] | undefined {
  const value = input[name]
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) throw invalidParameter(name, 'Member must be a list')
  return value
}

export function texts(input: Input, name: string, min = 0, max = 1000): readonly string[] {
  const values = optionalList(input, name) ?? []
  if (values.length < min || values.length > max)
    throw invalidParameter(name, `Member must have length between ${min} and ${max}`)
  return values.map((value) => {
    if (typeof value !== 'string') throw invalidParameter(name, 'Member must be a list of strings')
    return value
  })
}

export const objects = (input: Input, name: string): readonly Input[] =>
  (optionalList(input, name) ?? []).map((value) => {
    if (!isInput(value)) throw invalidParameter(name, 'Member must be a list of objects')
    return value
  })
