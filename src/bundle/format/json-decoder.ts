import { integrityError } from '../../lib/errors.ts'
import { isObject } from '../../oci/manifest.ts'

/** Reads parts of `bundle.json` strictly: what is of another form is damage. */
export interface Decoder {
  readonly object: (value: unknown) => Record<string, unknown>
  readonly list: (value: unknown) => readonly unknown[]
  readonly string: (value: unknown) => string
  readonly damaged: () => Error
}

/** @param what the part, for the error: `image bindings` */
export function createDecoder(what: string): Decoder {
  const damaged = () => integrityError(`bundle.json is damaged: its ${what} cannot be read`)
  return {
    damaged,
    object(value) {
      if (isObject(value)) return value
      throw damaged()
    },
    list(value) {
      if (Array.isArray(value)) return value
      throw damaged()
    },
    string(value) {
      if (typeof value === 'string') return value
      throw damaged()
    },
  }
}
