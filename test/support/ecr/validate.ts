import model from './model.json' with { type: 'json' }
import { invalidParameter } from './errors.ts'
import { isInput, type Input } from './input.ts'

/** A shape of the API model. */
export interface Shape {
  readonly type: string
  readonly required?: readonly string[]
  readonly members?: Readonly<Record<string, string>>
  readonly member?: string
  readonly min?: number
  readonly max?: number
  readonly pattern?: string
  readonly enum?: readonly string[]
}

export const OPERATIONS: Readonly<Record<string, string>> = model.operations

export function shapeOf(name: string): Shape {
  const shape = (model.shapes as Readonly<Record<string, Shape>>)[name]
  if (shape === undefined) throw new Error(`the model has no shape ${name}`)
  return shape
}

/**
 * Refuses what breaks a constraint of AWS's own model of the API: required members, lengths, ranges, patterns, choices.
 * @throws InvalidParameterException
 */
export function validate(operation: string, input: Input): void {
  const shape = OPERATIONS[operation]
  if (shape !== undefined) check(shapeOf(shape), input, operation)
}

// --- internal ---

function check(shape: Shape, value: unknown, field: string): void {
  switch (shape.type) {
    case 'structure':
      return checkMembers(shape, value, field)
    case 'list':
      if (!Array.isArray(value)) throw invalidParameter(field, 'Member must be a list')
      checkSize(shape, value.length, field, 'length')
      for (const one of value) check(shapeOf(shape.member ?? ''), one, field)
      return undefined
    case 'integer':
    case 'long':
      if (typeof value !== 'number') throw invalidParameter(field, 'Member must be a number')
      return checkSize(shape, value, field, 'value')
    case 'blob':
      if (typeof value !== 'string') throw invalidParameter(field, 'Member must be in base64')
      return checkSize(shape, Buffer.from(value, 'base64').length, field, 'length')
    case 'boolean':
      if (typeof value !== 'boolean') throw invalidParameter(field, 'Member must be true or false')
      return undefined
    default:
      return checkText(shape, value, field)
  }
}

function checkMembers(shape: Shape, value: unknown, field: string): void {
  if (!isInput(value)) throw invalidParameter(field, 'Member must be an object')
  for (const [name, member] of Object.entries(shape.members ?? {})) {
    const given = value[name]
    if (given !== undefined && given !== null) check(shapeOf(member), given, name)
    else if (shape.required?.includes(name) === true) throw invalidParameter(name, 'Member must not be null')
  }
}

function checkText(shape: Shape, value: unknown, field: string): void {
  if (typeof value !== 'string') throw invalidParameter(field, 'Member must be a string')
  checkSize(shape, value.length, field, 'length')
  if (shape.enum !== undefined && !shape.enum.includes(value))
    throw invalidParameter(field, `Member must satisfy enum value set: [${shape.enum.join(', ')}]`)
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`).test(value))
    throw invalidParameter(field, `must satisfy regular expression '${shape.pattern}'`)
}

function checkSize({ min, max }: Shape, found: number, field: string, what: 'length' | 'value'): void {
  if (min !== undefined && found < min)
    throw invalidParameter(field, `Member must have ${what} greater than or equal to ${min}`)
  if (max !== undefined && found > max)
    throw invalidParameter(field, `Member must have ${what} less than or equal to ${max}`)
}
