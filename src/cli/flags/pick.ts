import type { ArgsDef } from '../args/flags.ts'

/** Flags that take a part of what there is. */
export const pickArgs = {
  include: {
    type: 'string',
    multiple: true,
    hint: 'glob',
    description: 'Take only images, charts and files whose names fit, as in "quay.io/*"',
  },
  exclude: {
    type: 'string',
    multiple: true,
    hint: 'glob',
    description: 'Leave out images, charts and files whose names fit',
  },
  only: { type: 'string', multiple: true, hint: 'group', description: 'Take only this group of the spec' },
  without: { type: 'string', multiple: true, hint: 'group', description: 'Leave out this group of the spec' },
} as const satisfies ArgsDef
