import type { ArgsDef } from '../args/flags.ts'
import { eachSignatureArgs } from './signing.ts'
import { volumesArgs } from './volumes.ts'

/** Flags that make use of what was exported before. */
export const olderArgs = {
  since: {
    type: 'string',
    hint: 'file',
    description: 'Omit what the target registry has: an earlier bundle, its lock, or an inventory lists it',
  },
  reuse: {
    type: 'string',
    hint: 'bundle',
    description: 'Read from this earlier bundle what it has, and fetch only the rest',
  },
  ...volumesArgs,
  ...eachSignatureArgs,
} as const satisfies ArgsDef
