import type { ArgsDef } from '../args/flags.ts'

/** Flags of every command that reads a bundle. */
export const volumesArgs = {
  volumes: {
    type: 'string',
    hint: 'folder',
    multiple: true,
    description: 'Another folder where volumes of a bundle lie that was exported with --split',
  },
} as const satisfies ArgsDef
