import { usageError } from '../../lib/errors.ts'
import { parsePlatform, type Platform } from '../../oci/platform.ts'
import type { ArgsDef } from '../args/flags.ts'
import { listArgs } from './lists.ts'

/** Flags that say what to take, and where from. */
export const sourceArgs = {
  ...listArgs,
  with: {
    type: 'string',
    multiple: true,
    hint: 'group',
    description: 'Take this optional group of the spec along',
  },
  platform: {
    type: 'string',
    multiple: true,
    hint: 'os/arch',
    known: ['linux/amd64', 'linux/arm64', 'all'],
    description:
      'Platforms to take, or "all" for everything byte for byte (default: linux/amd64 and linux/arm64)',
  },
  allowMissingPlatform: {
    type: 'boolean',
    description: 'Warn about an image that lacks a platform; do not fail',
  },
  mirror: {
    type: 'string',
    multiple: true,
    hint: 'host=mirror,…',
    description: 'Ask these mirrors before the host, in order; a mirror may have a path',
  },
  referrers: { type: 'boolean', description: 'Take signatures, attestations and SBOMs of the images along' },
} as const satisfies ArgsDef

/** `--platform`, given once or often, with commas or without; undefined when it was not given. */
export function platformsFrom(texts: readonly string[]): readonly Platform[] | 'all' | undefined {
  const names = texts.flatMap((text) => text.split(',')).filter((text) => text !== '')
  if (names.length === 0) return undefined
  if (!names.includes('all')) return names.map(parsePlatform)
  if (names.length > 1)
    throw usageError('--platform all stands alone', { next: 'leave the other platforms out' })
  return 'all'
}
