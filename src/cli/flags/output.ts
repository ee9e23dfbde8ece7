import { MIN_SPLIT, SPLIT_NAMES } from '../../archive/volumes/volume.ts'
import type { S3Storage } from '../../aws/s3/object.ts'
import type { WriteSettings } from '../../bundle/media/medium.ts'
import { usageError } from '../../lib/errors.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

const sizes = Object.entries(SPLIT_NAMES)
  .map(([name, size]) => `${name} (${Number((size / 1e9).toFixed(2))} GB)`)
  .join(', ')

/** Flags of an export into volumes. */
export const splitArgs = {
  split: {
    type: 'size',
    names: SPLIT_NAMES,
    min: MIN_SPLIT,
    description: `Write volumes of at most this size instead of one file: <bundle>.001, .002 and so on, and a list of them. Sizes with a name: ${sizes}`,
  },
  onlyVolume: {
    type: 'integer',
    min: 1,
    hint: 'number',
    description:
      'Make this one volume of an earlier export again, byte for byte, from its --lock; fetches only what lies in it',
  },
} as const satisfies ArgsDef

/** How an object in S3 is to be kept. */
export const storageArgs = {
  sse: {
    type: 'enum',
    options: ['AES256', 'aws:kms'],
    description: 'Encryption of what is written to S3, when not that of the bucket',
  },
  sseKmsKey: {
    type: 'string',
    hint: 'arn|alias',
    description: 'KMS key for what is written to S3; with it, --sse is aws:kms',
  },
  storageClass: {
    type: 'string',
    hint: 'class',
    description:
      'Storage class of the bundle in S3, as in STANDARD_IA; a bundle in GLACIER cannot be read at once',
  },
} as const satisfies ArgsDef

/** What the flags say of how a bundle is written. */
export const writeSettings = (
  args: Args<typeof storageArgs> & Omit<WriteSettings, 'storage'>,
): WriteSettings => ({
  split: args.split,
  onlyVolume: args.onlyVolume,
  lock: args.lock,
  signed: args.signed,
  storage: storageOf(args),
})

// --- internal ---

/** @throws a usage error for settings that contradict each other */
function storageOf({ sse, sseKmsKey, storageClass }: Args<typeof storageArgs>): S3Storage {
  if (sse === 'AES256' && sseKmsKey !== undefined)
    throw usageError('--sse AES256 and --sse-kms-key exclude each other')
  const encryption = sseKmsKey === undefined ? sse : 'aws:kms'
  return {
    ...(encryption === undefined ? {} : { ServerSideEncryption: encryption }),
    ...(sseKmsKey === undefined ? {} : { SSEKMSKeyId: sseKmsKey }),
    ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
  }
}
